import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineServer, startEngine } from "./engine-server.ts";
import { freePort, isReachable } from "./ports.ts";

/** Starts an MQTT broker for one test, which keeps its sessions when it is stopped. */
export async function startMosquitto(): Promise<EngineServer> {
  const port = await freePort();
  const home = await mkdtemp(join(tmpdir(), "spillway-mosquitto-"));
  const folder = join(home, "data");
  await mkdir(folder);
  const file = join(home, "mosquitto.conf");
  const settings = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence true",
    `persistence_location ${folder}/`,
    "max_queued_messages 0",
    // It would otherwise switch to a user that may not write there.
    "user root",
  ];
  await writeFile(file, `${settings.join("\n")}\n`);
  const args = (): readonly string[] => ["-c", file];
  const isReady = (): Promise<boolean> => isReachable("127.0.0.1", port);
  const server = await startEngine({ home, folder, program: "mosquitto", args, isReady });
  return { port, url: `mqtt://127.0.0.1:${port}`, ...server };
}

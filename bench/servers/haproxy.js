/** HAProxy in HTTP mode, with one thread. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProgram } from "../processes.js";
import { answering, freePort } from "./ports.js";

// Debian has it outside of an ordinary user's path.
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
const found = () => spawnSync("haproxy", ["-v"], { env: environment }).status === 0;

/** @type {import("../types.d.ts").Server} */
export const haproxy = {
  name: "haproxy",
  note: "one thread, `http-reuse always`",
  features: ["routes"],
  only: ["proxy"],
  runs: 1,
  filesPerClient: 2,
  source: "each",
  missing: async () => (found() ? undefined : "haproxy is not installed"),
  version: async () => execFileSync("haproxy", ["-v"], { encoding: "utf8", env: environment }).split(" - ")[0] ?? "",
  async start({ origin, cpus, directory }) {
    const port = await freePort();
    const file = join(directory, "haproxy.cfg");
    await writeFile(file, configuration(port, new URL(origin).host));
    const program = await startProgram("env", [`PATH=${environment.PATH}`, "haproxy", "-db", "-f", file], {
      cpus,
      answers: () => answering(port),
    });
    return { pid: program.pid, url: program.url, path: () => "/events", stop: program.stop };
  },
};

/**
 * @param {number} port
 * @param {string} origin
 */
function configuration(port, origin) {
  return `
global
  nbthread 1
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend clients
  bind 127.0.0.1:${port}
  default_backend origin
backend origin
  server origin ${origin}
`;
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig, RunConfig } from "spillway";
import { onTestFinished } from "vitest";
import { freePort } from "./ports.ts";
import { startCli, type Program } from "./process.ts";

interface RunNodeRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A gateway with runs in a process of its own. */
export interface RunNode {
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<number | string>;
  /** Sends a request on a new connection. */
  send(path: string, init?: RunNodeRequest): Promise<Response>;
  post(body: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  state(path: string): Promise<Record<string, unknown>>;
}

export interface RunNodeSetup extends GatewayConfig {
  readonly run?: Partial<RunConfig>;
}

/** Prepares a gateway whose POST requests below `/v1` are runs of an origin. It is killed after the test. */
export async function prepareRunNode(origin: string, { run, ...config }: RunNodeSetup): Promise<RunNode> {
  const home = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  const [port, file] = [await freePort(), join(home, "spillway.json")];
  const runs = { "/v1/**": { upstream: { url: origin }, ...run } };
  await writeFile(file, JSON.stringify({ listen: port, drain: "1s", ...config, runs }));
  let program: Program | undefined;
  onTestFinished(async () => {
    await program?.kill("SIGKILL");
    await rm(home, { recursive: true });
  });
  const send: RunNode["send"] = (path, { headers, ...init } = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { connection: "close", ...headers } });
  return {
    async start() {
      program = startCli("serve", "--config", file);
      await program.printed('"listening"');
    },
    kill: async (signal) => program!.kill(signal),
    send,
    post: (body, headers = {}) =>
      send("/v1/chat", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    async state(path) {
      return (await (await send(path, { headers: { accept: "application/json" } })).json()) as Record<string, unknown>;
    },
  };
}

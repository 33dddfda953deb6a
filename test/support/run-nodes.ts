import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig, RunConfig } from "spillway";
import { onTestFinished } from "vitest";
import { freePort } from "./ports.ts";
import { startCli, type Program } from "./process.ts";

interface NodeRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A gateway in a process of its own. */
export interface GatewayNode {
  readonly url: string;
  readonly port: number;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<number | string>;
  /** Pauses or resumes the process. */
  pause(on: boolean): void;
  /** Sends a request on a new connection. */
  send(path: string, init?: NodeRequest): Promise<Response>;
}

/** A gateway with runs in a process of its own. */
export interface RunNode extends GatewayNode {
  post(body: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  state(path: string): Promise<Record<string, unknown>>;
}

export interface RunNodeSetup extends GatewayConfig {
  readonly run?: Partial<RunConfig>;
}

/** Prepares a gateway. It is killed after the test. */
export async function prepareNode(config: GatewayConfig): Promise<GatewayNode> {
  const home = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  const [port, file] = [await freePort(), join(home, "spillway.json")];
  await writeFile(file, JSON.stringify({ listen: port, drain: "1s", ...config }));
  let program: Program | undefined;
  onTestFinished(async () => {
    await program?.kill("SIGKILL");
    await rm(home, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    async start() {
      program = startCli("serve", "--config", file);
      await program.printed('"listening"');
    },
    kill: async (signal) => program!.kill(signal),
    pause: (on) => void program!.process.kill(on ? "SIGSTOP" : "SIGCONT"),
    send: (path, { headers, ...init } = {}) =>
      fetch(url + path, { ...init, headers: { connection: "close", ...headers } }),
  };
}

/** Prepares a gateway whose POST requests below `/v1` are runs of an origin. It is killed after the test. */
export async function prepareRunNode(origin: string, { run, ...config }: RunNodeSetup): Promise<RunNode> {
  const node = await prepareNode({ ...config, runs: { "/v1/**": { upstream: { url: origin }, ...run } } });
  return {
    ...node,
    post: (body, headers = {}) =>
      node.send("/v1/chat", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    async state(path) {
      const response = await node.send(path, { headers: { accept: "application/json" } });
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig } from "spillway";
import { freePort } from "./ports.ts";
import { startCli, type Program } from "./process.ts";
import { eventually } from "./reader.ts";

/** The `/status` of a gateway with workers. */
export interface WorkersStatus {
  readonly ready: boolean;
  readonly listener: string;
  readonly workers: ReadonlyArray<{ readonly pid: number; readonly subscribers: number }>;
  readonly streams: Readonly<Record<string, StreamStatus>>;
}

export interface StreamStatus {
  readonly head: string;
  readonly subscribers: number;
  readonly lag: number;
  readonly unsent: number;
  readonly filters: number;
  readonly delivered: number;
  readonly closed: Readonly<Record<string, number>>;
  readonly paused: string | null;
  readonly upstream: { readonly state: string } | null;
}

/** `spillway serve --workers` with a separate SQLite file and every right granted. */
export interface WorkersServer {
  /** The primary. */
  readonly program: Program;
  readonly port: number;
  readonly url: string;
  /** Sent over a new connection, so that the next worker answers. */
  status(): Promise<WorkersStatus>;
  /** The ids of the workers. */
  pids(): Promise<number[]>;
  publish(stream: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Restarts it with the same file and address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a gateway with this many workers and waits until it listens. */
export async function startWorkers(workers: number, config: GatewayConfig): Promise<WorkersServer> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-workers-"));
  const port = await freePort();
  const file = join(folder, "spillway.json");
  const rights = { anonymous: ["subscribe", "publish", "admin"] };
  const base = { listen: port, store: `sqlite:${folder}/log.db`, access: rights, drain: "5s" };
  await writeFile(file, JSON.stringify({ ...base, ...config, workers }));
  let program: Program;
  const start = async (): Promise<void> => {
    program = startCli("serve", "--config", file);
    await program.printed('"listening"');
  };
  await start();
  const url = `http://127.0.0.1:${port}`;
  const status = (): Promise<WorkersStatus> => statusOf(url);
  return {
    get program() {
      return program;
    },
    port,
    url,
    status,
    pids: async () => (await status()).workers.map(({ pid }) => pid),
    publish: (stream, body, headers = {}) =>
      fetch(`${url}/streams/${stream}/events`, {
        method: "POST",
        headers: { "content-type": "application/json", "connection": "close", ...headers },
        body: JSON.stringify(body),
      }),
    restart: start,
    async close() {
      await program.kill("SIGKILL");
      await rm(folder, { recursive: true });
    },
  };
}

/** The status of a gateway, requested on a new connection. */
export function statusOf(url: string): Promise<WorkersStatus> {
  return askAgain(async () => {
    const response = await fetch(`${url}/status`, { headers: { connection: "close" } });
    return (await response.json()) as WorkersStatus;
  });
}

/**
 * Asks again if the connection was lost: until the primary knows that a worker was killed, it hands connections to it, and the kernel
 * resets them.
 */
export async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isLost(error)) throw error;
    }
  }
}

/** Whether a connection was accepted and then closed. If one is neither answered nor closed, the test fails by timeout. */
function isLost(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code === "ECONNRESET" || cause?.code === "UND_ERR_SOCKET";
}

/** Whether a process is running. A zombie process is not. */
export function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** Resolves when none of the processes is running. */
export function untilEnded(pids: readonly number[]): Promise<void> {
  return eventually(() => !pids.some(isRunning), `the end of ${pids.join(", ")}`);
}

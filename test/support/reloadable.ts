import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig } from "spillway";
import { freePort } from "./ports.ts";
import { startCli, type Program } from "./process.ts";
import { eventually, read, type Reading } from "./reader.ts";

/** `spillway serve` with a file that a test can rewrite. */
export interface Reloadable {
  readonly program: Program;
  /** Starts it again, after it was killed. */
  restart(): Promise<void>;
  readonly url: string;
  /** The directory of its files. */
  readonly folder: string;
  /** Rewrites the configuration: the given sections replace those of the start. */
  write(change: GatewayConfig): Promise<void>;
  /** Uses a new connection each time, so that the workers answer in turn. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** `POST /admin/reload`. */
  post(): Promise<Response>;
  /** Sends SIGHUP and resolves when the log has a line about it. */
  hangUp(): Promise<void>;
  /** Subscribes and waits for the first event. */
  subscribe(path: string, headers?: Readonly<Record<string, string>>): Promise<Reading>;
  publish(stream: string, body: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Starts it with this many workers; 1 is a single process. Anonymous clients have all rights unless `first` changes that. */
export async function startReloadable(workers: number, first: GatewayConfig): Promise<Reloadable> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-reload-"));
  const port = await freePort();
  const base: GatewayConfig = {
    listen: port,
    store: `sqlite:${folder}/log.db`,
    workers,
    drain: "2s",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    ...first,
  };
  const file = join(folder, "spillway.json");
  const write = (change: GatewayConfig): Promise<void> => writeFile(file, JSON.stringify({ ...base, ...change }));
  await write({});
  let program: Program;
  const restart = async (): Promise<void> => {
    program = startCli("serve", "--config", file);
    await program.printed('"listening"');
  };
  await restart();
  const url = `http://127.0.0.1:${port}`;
  const request: Reloadable["request"] = (path, init) =>
    fetch(`${url}${path}`, { ...init, headers: { connection: "close", ...(init?.headers as Record<string, string>) } });
  const results = (): number => program.output().split(/"configuration (?:applied|refused)/).length;
  return {
    get program() {
      return program;
    },
    restart,
    url,
    folder,
    write,
    request,
    post: () => request("/admin/reload", { method: "POST" }),
    async hangUp() {
      const before = results();
      program.process.kill("SIGHUP");
      await eventually(() => results() > before, "a line of the log");
    },
    async subscribe(path, headers) {
      const reading = read(await request(path, { headers: { accept: "text/event-stream", ...headers } }));
      return reading.until(({ events }) => events.length > 0);
    },
    async publish(stream, body) {
      const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const response = await request(`/streams/${stream}/events`, init);
      if (response.status !== 200) throw new Error(await response.text());
    },
    async close() {
      await program.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

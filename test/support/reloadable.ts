import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig } from "spillway";
import { freePort } from "./ports.ts";
import { startCli, type Program } from "./process.ts";
import { eventually, read, type Reading } from "./reader.ts";

/** `spillway serve` over a file that a test may write anew. */
export interface Reloadable {
  readonly program: Program;
  readonly url: string;
  /** Where its files are. */
  readonly folder: string;
  /** Writes the configuration anew: what is given counts in the place of what it was started with. */
  write(change: GatewayConfig): Promise<void>;
  /** Over a connection of its own, so that one worker after the other is asked. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** `POST /admin/reload`. */
  post(): Promise<Response>;
  /** Resolves when a SIGHUP has led to a line of the log. */
  hangUp(): Promise<void>;
  /** Subscribes and waits for the first event. */
  subscribe(path: string, headers?: Readonly<Record<string, string>>): Promise<Reading>;
  publish(stream: string, body: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Starts it with so many workers; with 1 it is one process. Everyone may do everything unless `first` says otherwise. */
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
  const program = startCli("serve", "--config", file);
  await program.printed('"listening"');
  const url = `http://127.0.0.1:${port}`;
  const request: Reloadable["request"] = (path, init) =>
    fetch(`${url}${path}`, { ...init, headers: { connection: "close", ...(init?.headers as Record<string, string>) } });
  const results = (): number => program.output().split(/"configuration (?:applied|refused)/).length;
  return {
    program,
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

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig } from "spillway";
import { expect } from "vitest";
import { startNumberedClient, type NumberedClient } from "./numbered-client.ts";
import type { NumberedControl, NumberedState } from "./numbered-upstream.js";
import { freePort } from "./ports.ts";
import { startCli, startProgram, type Program } from "./process.ts";
import { eventually } from "./reader.ts";

/** A numbered source, a gateway over SQLite and its clients, each in a process of its own but the clients. */
export interface NumberedGateway {
  /** Where the database is. */
  readonly folder: string;
  readonly port: number;
  readonly readers: readonly NumberedClient[];
  /** Starts the gateway again, and waits until it says that it listens. */
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<number | string>;
  /** Waits until each client has got so many more events. */
  progress(events: number): Promise<void>;
  /** Lets the source come to its end, and checks that every client got exactly 1..M over one upstream connection at a time. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Starts everything; the source drops its connection in the middle of an event, again and again. `extra` adds to the configuration. */
export async function startNumberedGateway(
  clients: number,
  folder?: string,
  extra: GatewayConfig = {},
): Promise<NumberedGateway> {
  const home = folder ?? (await mkdtemp(join(tmpdir(), "spillway-kill-")));
  const port = await freePort();
  const options = { rate: 300, dropEvery: 97, dropMode: "half", retry: 10, resume: "inclusive" };
  const source = startProgram("test/support/numbered-upstream.js", [JSON.stringify(options)]);
  await source.printed("\n");
  const { origin } = JSON.parse(source.output()) as { origin: string };
  const config = join(home, "spillway.json");
  await writeFile(
    config,
    JSON.stringify({
      listen: port,
      store: `sqlite:${home}/log.db`,
      drain: "2s",
      access: { anonymous: ["subscribe", "admin"] },
      streams: { numbers: { upstream: { url: `${origin}/events`, backoff: { min: "10ms", max: "100ms" } } } },
      ...extra,
    }),
  );
  let gateway: Program;
  const start = async (): Promise<void> => {
    gateway = startCli("serve", "--config", config);
    await gateway.printed('"listening"');
  };
  await start();
  const url = `http://127.0.0.1:${port}/streams/numbers`;
  const readers = Array.from({ length: clients }, () => startNumberedClient(url));

  return {
    folder: home,
    port,
    readers,
    start,
    kill: (signal) => gateway.kill(signal),
    async progress(events) {
      const target = Math.max(...readers.map(({ last }) => last)) + events;
      await eventually(() => readers.every(({ last }) => last >= target), `progress to ${target}`);
    },
    async finish() {
      const stop: NumberedControl = { set: { rate: 0 } };
      await fetch(`${origin}/control`, { method: "POST", body: JSON.stringify(stop) });
      const { last, maxOpen } = (await (await fetch(`${origin}/state`)).json()) as NumberedState;
      expect(last).toBeGreaterThan(0);
      await eventually(() => readers.every((reader) => reader.last >= last), `everyone at ${last}`);
      const got = readers.map((reader) => ({ faults: reader.faults, last: reader.last }));
      expect(got).toEqual(readers.map(() => ({ faults: [], last })));
      expect(maxOpen).toBe(1);
    },
    async close() {
      for (const reader of readers) reader.close();
      await gateway.kill("SIGKILL");
      await source.kill("SIGKILL");
      if (!folder) await rm(home, { recursive: true });
    },
  };
}

import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Log, LogEvent, LogStore, NewEvent } from "../../../src/log/log.ts";
import { createPostgresStore, type PostgresStoreOptions } from "../../../src/log/postgres/index.ts";

export const everything = { age: undefined, events: undefined, bytes: undefined };

/** Opens a store that is closed after the test. */
export async function openStore(url: string, options: Partial<PostgresStoreOptions> = {}): Promise<LogStore> {
  const store = await createPostgresStore({ url, node: "a", ...options });
  onTestFinished(() => store.close());
  return store;
}

/** Opens the stream `s`, all of it kept. */
export function openLog(store: LogStore): Promise<Log> {
  return store.open("s", { retention: everything });
}

/** Events with this data. */
export function eventsOf(...data: string[]): NewEvent[] {
  return data.map((each) => ({ event: "message", data: each, channel: undefined, upstreamId: undefined }));
}

/** The events of the log that a node hears of, in the order in which it does. */
export function follow(log: Log): LogEvent[] {
  const events: LogEvent[] = [];
  log.watch((hint) => events.push(...(hint.events ?? [])));
  return events;
}

/** All that the log holds. */
export async function readAll(log: Log): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for (let after = 0; ;) {
    const page = await log.read(after, { limit: 1_000 });
    events.push(...page.events);
    if (page.scanned === after || page.scanned >= log.state().head) return events;
    after = page.scanned;
  }
}

/** Waits until a fact is true, as long as the test may take. */
export async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await delay(20);
}

/** Makes a call again until it succeeds, as the gateway's ingest does. */
export async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { readonly code?: string }).code !== "store-unavailable") throw error;
      await delay(50);
    }
  }
}

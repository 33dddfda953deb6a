import { expect, test } from "vitest";
import { watchReplication, type Replication } from "../../../src/gateway/replication.ts";
import type { Log, StoreConnection } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";

/** A log whose events have the times of a clock that differs by this many ms. */
async function follow(difference: number): Promise<{ log: Log; replication: Replication; connection: Connection }> {
  const store = createMemoryStore({ now: () => Date.now() + difference });
  const log = await store.open("s", { retention: { age: undefined, events: undefined, bytes: undefined } });
  const connection: Connection = { connected: true, silence: 4000, reconnects: 0 };
  return { log, replication: watchReplication(log, () => connection), connection };
}

type Connection = { -readonly [Member in keyof StoreConnection]: StoreConnection[Member] };

const event = { event: "message", data: "x", channel: undefined, upstreamId: undefined };
const hour = 3_600_000;

test("there is no lag before the first event", async () => {
  const { replication } = await follow(0);
  expect(replication.status()).toMatchObject({ connected: true, lag: undefined, reconnects: 0 });
});

test("the lag is the transit time of the last event, and each batch is counted once", async () => {
  const { log, replication } = await follow(-hour);
  await log.append([event, event, event]);
  await log.append([event]);
  const { lag, latency } = replication.status();
  expect(lag).toBeGreaterThanOrEqual(3600);
  expect(latency.counts.reduce((sum, count) => sum + count)).toBe(2);
  expect(latency.sum).toBeGreaterThanOrEqual(7200);
});

test("an event from a clock that is ahead is not late", async () => {
  const { log, replication } = await follow(hour);
  await log.append([event]);
  expect(replication.status()).toMatchObject({ lag: 0, latency: { sum: 0 } });
});

test("while nothing arrives from the engine, the lag is at least the time since then", async () => {
  const { log, replication, connection } = await follow(-hour / 2);
  Object.assign(connection, { connected: false, silence: 100 });
  expect(replication.status()).toMatchObject({ connected: false, lag: 0.1 });
  await log.append([event]);
  expect(replication.status().lag).toBeGreaterThanOrEqual(1800);
  connection.silence = hour;
  expect(replication.status().lag).toBe(3600);
  // Detection may take longer.
  connection.connected = true;
  expect(replication.status()).toMatchObject({ connected: true, lag: 3600 });
  connection.silence = 4000;
  expect(replication.status().lag).toBeLessThan(3600);
});

test("once stopped, nothing more is counted", async () => {
  const { log, replication } = await follow(0);
  replication.stop();
  await log.append([event]);
  expect(replication.status().lag).toBeUndefined();
});

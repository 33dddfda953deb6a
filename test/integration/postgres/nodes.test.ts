import { afterEach, beforeEach, expect, test } from "vitest";
import { openPostgresPlace, type PostgresPlace } from "../../support/postgres.ts";
import { contentOf, eventsOf, everything, follow, openLog } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { openStore } from "./stores.ts";

let place: PostgresPlace;

beforeEach(() => {
  place = openPostgresPlace();
});

afterEach(() => place.remove());

test("nodes that append at once assign each number once, and each gets all events in order", async () => {
  const logs = await Promise.all(["a", "b", "c"].map(async (node) => openLog(await openStore(place.url, { node }))));
  const heard = logs.map(follow);
  const numbers: number[] = [];
  await Promise.all(
    logs.map(async (log, node) => {
      for (let round = 0; round < 100; round++) {
        const { first, last } = await log.append(eventsOf(`${node}.${round}`));
        expect(last).toBe(first);
        // What was appended here is part of this node's own state, and so is all before it.
        expect(log.state().head).toBeGreaterThanOrEqual(last);
        numbers.push(first);
      }
    }),
  );
  const all = Array.from({ length: 300 }, (_, index) => index + 1);
  expect(numbers.toSorted((one, other) => one - other)).toEqual(all);
  const stored = await contentOf(logs[0]!);
  for (const events of heard) {
    await eventually(() => events.length === 300);
    expect(events).toEqual(stored);
  }
});

test("a node that takes over a lease has all earlier events, and the previous holder can append nothing more", async () => {
  const stores = await Promise.all(["a", "b"].map((node) => openStore(place.url, { node })));
  const logs = await Promise.all(stores.map(openLog));
  let number = 0;
  for (let turn = 0; turn < 20; turn++) {
    const [log, other] = [logs[turn % 2]!, logs[(turn + 1) % 2]!];
    const lease = await stores[turn % 2]!.coordination!.acquire("s", 60_000);
    expect(log.state().upstreamCursor).toBe(number === 0 ? undefined : `u${number}`);
    expect(log.state().head).toBe(number);
    for (let count = 0; count < 3; count++) {
      await log.append(eventsOf(String(++number)), { fence: lease!.fence, upstreamCursor: `u${number}` });
    }
    await expect(other.append(eventsOf("late"), { fence: lease!.fence - 1 })).rejects.toMatchObject({
      code: "lease-lost",
    });
    await lease!.release();
  }
  expect((await contentOf(logs[0]!)).map(({ data }) => data)).toEqual(
    Array.from({ length: 60 }, (_, i) => String(i + 1)),
  );
});

test("a lease that a failover has lost never has the same number as the next one", async () => {
  const [here, there] = await Promise.all(["a", "b"].map((node) => openStore(place.url, { node })));
  const log = await openLog(here!);
  await openLog(there!);
  const lost = (await here!.coordination!.acquire("s", 60_000))!;
  await place.query("UPDATE $schema.streams SET fence = 0, holder = NULL, holder_store = NULL, lease_ends = NULL");
  const next = (await there!.coordination!.acquire("s", 60_000))!;
  expect(next.fence).toBeGreaterThan(lost.fence);
  expect(await lost.renew(60_000)).toBe(false);
  await expect(log.append(eventsOf("late"), { fence: lost.fence })).rejects.toMatchObject({ code: "lease-lost" });
  await lost.release();
  expect(await here!.coordination!.holder("s")).toEqual({ node: "b", fence: next.fence });
});

test("a node that repeats a lease request whose answer was lost gets the lease at once", async () => {
  const store = await openStore(place.url);
  await openLog(store);
  const first = (await store.coordination!.acquire("s", 60_000))!;
  const again = (await store.coordination!.acquire("s", 60_000))!;
  expect(again.fence).toBeGreaterThan(first.fence);
  expect(await first.renew(60_000)).toBe(false);
  expect(await again.renew(60_000)).toBe(true);
});

test("a node that takes over a lease while it still reads has read everything", async () => {
  const [here, there] = await Promise.all(["a", "b"].map((node) => openStore(place.url, { node })));
  const [log, other] = [await openLog(here!), await openLog(there!)];
  const batch = eventsOf(...Array.from({ length: 30_000 }, (_, index) => String(index)));
  await log.append(batch, { upstreamCursor: "u" });
  await there!.coordination!.acquire("s", 60_000);
  expect(other.state()).toMatchObject({ head: batch.length, upstreamCursor: "u" });
});

test("a notification alone makes a node read on", async () => {
  const log = await openLog(await openStore(place.url));
  const there = await openLog(await openStore(place.url, { node: "b" }));
  const heard = follow(log);
  await there.append(eventsOf("1"));
  await eventually(() => heard.length === 1);
  // The count of changes, by which the node would find out by itself, stays as it is.
  await place.query(`
    INSERT INTO $schema.events SELECT id, 2, last_time, 'message', NULL, NULL, 'by hand', 14 FROM $schema.streams;
    UPDATE $schema.streams SET head = 2;
    SELECT pg_notify('$schema', id || ' ' || changes + 1) FROM $schema.streams`);
  await eventually(() => heard.length === 2);
});

test("events without a notification are also found", async () => {
  const log = await openLog(await openStore(place.url));
  const there = await openLog(await openStore(place.url, { node: "b" }));
  const heard = follow(log);
  // From here on it does listen.
  await there.append(eventsOf("1"));
  await eventually(() => heard.length === 1);
  await place.query(`
    INSERT INTO $schema.events SELECT id, 2, last_time, 'message', NULL, NULL, 'by hand', 14 FROM $schema.streams;
    UPDATE $schema.streams SET head = 2, bytes = bytes + 14, upstream_cursor = 'u', changes = changes + 1`);
  await eventually(() => heard.length === 2);
  expect(heard[1]).toMatchObject({ seq: 2, data: "by hand" });
  expect(log.state()).toMatchObject({ head: 2, bytes: 8 + 14 + 2 * 128, upstreamCursor: "u" });
});

test("nodes that apply retention at once remove nothing twice, and their totals stay correct", async () => {
  const bounded = { ...everything, events: 100 };
  const logs = await Promise.all(
    ["a", "b", "c"].map(async (node) => (await openStore(place.url, { node })).open("s", { retention: bounded })),
  );
  const batch = eventsOf(...Array.from({ length: 50 }, (_, index) => `x${index}`));
  let appended = 0;
  await Promise.all(
    logs.flatMap((log) =>
      Array.from({ length: 20 }, async (_, round) => {
        await log.append(batch);
        appended += batch.length;
        if (round % 5 === 0) await log.trim();
      }),
    ),
  );
  await Promise.all(logs.map((log) => log.trim()));
  await eventually(() => logs.every((log) => log.state().events === 100));
  const [row] = await place.query("SELECT count(*), min(seq), max(seq), sum(bytes) AS bytes FROM $schema.events");
  expect(row).toEqual({
    count: "100",
    min: String(appended - 99),
    max: String(appended),
    bytes: String(logs[0]!.state().bytes - 100 * 128),
  });
});

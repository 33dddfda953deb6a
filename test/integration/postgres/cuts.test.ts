import { afterEach, beforeEach, expect, test } from "vitest";
import { expectOnceUnderCuts } from "../../support/cut-writers.ts";
import { openPostgresPlace, throughPort, type PostgresPlace } from "../../support/postgres.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { contentOf, eventsOf, follow, openLog, untilDone } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { openStore } from "./stores.ts";

let place: PostgresPlace;
let proxies: TcpProxy[];

beforeEach(async () => {
  place = openPostgresPlace();
  const server = new URL(place.url);
  proxies = await Promise.all([1, 2, 3].map(() => startTcpProxy(Number(server.port || 5432))));
});

afterEach(async () => {
  for (const proxy of proxies) await proxy.close();
  await place.remove();
});

test("nodes that append at once while their connections are cut append each event once, and every node hears of all", async () => {
  const logs = await Promise.all(
    proxies.map(async ({ port }) => openLog(await openStore(throughPort(place.url, port)))),
  );
  await expectOnceUnderCuts(logs, proxies);
}, 60_000);

test("an append whose connection is lost in the midst of it is appended once", async () => {
  const [proxy] = proxies as [TcpProxy];
  const log = await openLog(await openStore(throughPort(place.url, proxy.port)));
  await log.append(eventsOf("1"));
  const lock = await holdLock();
  const append = log.append(eventsOf("2", "3"), { upstreamCursor: "u3" });
  await eventually(async () => (await lock.waiting()) === 1);
  // The server does not know yet: it goes on once it gets the lock.
  proxy.reset();
  await eventually(async () => (await lock.waiting()) === 2);
  await lock.release();
  expect(await append).toEqual({ first: 2, last: 3, replayed: false });
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2", "3"]);
  expect(await log.append(eventsOf("4"))).toEqual({ first: 4, last: 4, replayed: false });
});

test("an append with an unknown outcome that is found in the log later gets its numbers when it is made again with its retry token", async () => {
  const [proxy] = proxies as [TcpProxy];
  const log = await openLog(await openStore(throughPort(place.url, proxy.port)));
  const lock = await holdLock();
  const batch = eventsOf("1", "2");
  const retryToken = {};
  const append = log.append(batch, { retryToken });
  await eventually(async () => (await lock.waiting()) === 1);
  proxy.refuse(true);
  proxy.reset();
  await expect(append).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(batch, { retryToken })).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(batch)).rejects.toMatchObject({ code: "store-unavailable" });
  await lock.release();
  await eventually(async () => (await place.query("SELECT head FROM $schema.streams"))[0]?.["head"] === "2");
  proxy.refuse(false);
  expect(await untilDone(() => log.append(batch, { retryToken }))).toEqual({ first: 1, last: 2, replayed: false });
  // The token counts, not the events.
  expect(await log.append(batch)).toEqual({ first: 3, last: 4, replayed: false });
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2", "1", "2"]);
});

test("an append with an unknown outcome that was called off later is appended when it is made again with its retry token", async () => {
  const [proxy] = proxies as [TcpProxy];
  const log = await openLog(await openStore(throughPort(place.url, proxy.port)));
  const lock = await holdLock();
  const batch = eventsOf("1", "2");
  const retryToken = {};
  const append = log.append(batch, { retryToken });
  await eventually(async () => (await lock.waiting()) === 1);
  proxy.refuse(true);
  proxy.reset();
  await expect(append).rejects.toMatchObject({ code: "append-unknown" });
  await lock.endWaiting();
  await lock.release();
  proxy.refuse(false);
  expect(await untilDone(() => log.append(eventsOf("other")))).toEqual({ first: 1, last: 1, replayed: false });
  expect(await log.append(batch, { retryToken })).toEqual({ first: 2, last: 3, replayed: false });
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["other", "1", "2"]);
});

test("where the network swallows everything, calls fail in the end, and all goes on afterwards", async () => {
  const [proxy] = proxies as [TcpProxy];
  const store = await openStore(throughPort(place.url, proxy.port));
  const log = await openLog(store);
  const there = await openLog(await openStore(place.url, { node: "b" }));
  const heard = follow(log);
  await log.append(eventsOf("1"));
  proxy.stall(true);
  const batch = eventsOf("2");
  const retryToken = {};
  const calls = await Promise.allSettled([
    log.append(batch, { retryToken }),
    log.read(0, { limit: 1 }),
    store.coordination!.acquire("s", 1_000),
  ]);
  for (const call of calls) expect(call).toMatchObject({ reason: { code: "store-unavailable" } });
  await there.append(eventsOf("there"));
  proxy.stall(false);
  await untilDone(() => log.append(batch, { retryToken }));
  const stored = (await contentOf(there)).map(({ data }) => data);
  expect(stored.toSorted()).toEqual(["1", "2", "there"]);
  await eventually(() => heard.length === 3);
  expect(heard.map(({ data }) => data)).toEqual(stored);
});

test("a store can be closed while nothing gets through", async () => {
  const [proxy] = proxies as [TcpProxy];
  const store = await openStore(throughPort(place.url, proxy.port));
  const log = await openLog(store);
  await log.append(eventsOf("1"));
  proxy.stall(true);
  const append = log.append(eventsOf("2"));
  await Promise.all([expect(append).rejects.toMatchObject({ code: "append-unknown" }), store.close()]);
});

/** Another session that has the stream's row, and what waits for it. */
interface HeldLock {
  /** How many sessions wait for the row. */
  waiting(): Promise<number>;
  /** Ends those sessions. */
  endWaiting(): Promise<void>;
  release(): Promise<void>;
}

async function holdLock(): Promise<HeldLock> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: place.url.replace(/[?&]schema=\w+/, "") });
  await client.connect();
  await client.query(`BEGIN; SELECT FROM ${place.schema}.streams FOR UPDATE`);
  const waiting = `FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"$schema".append_events%'`;
  return {
    waiting: async () => Number((await place.query(`SELECT count(*) AS sessions ${waiting}`))[0]?.["sessions"]),
    endWaiting: async () => void (await place.query(`SELECT pg_terminate_backend(pid) ${waiting}`)),
    release: async () => {
      await client.query("COMMIT");
      await client.end();
    },
  };
}

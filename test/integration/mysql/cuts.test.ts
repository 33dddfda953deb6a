import mysql from "mysql2/promise";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { expectOnceUnderCuts } from "../../support/cut-writers.ts";
import { openMysqlPlace, sharedMysql, throughPort, type MysqlPlace } from "../../support/mysql.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { contentOf, eventsOf, follow, openLog, untilDone } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { lookInterval, openStore } from "./stores.ts";

let place: MysqlPlace;
let proxies: TcpProxy[];

beforeEach(async () => {
  place = openMysqlPlace();
  const server = new URL(place.url);
  proxies = await Promise.all([1, 2, 3].map(() => startTcpProxy(Number(server.port || 3306))));
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

/** Keeps a number of the stream from being taken, in a transaction that is not committed: who appends it waits. */
async function holdNumber(seq: number): Promise<{ waiting(): Promise<number>; release(): Promise<void> }> {
  const connection = await mysql.createConnection(sharedMysql);
  onTestFinished(() => connection.end());
  await connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  await connection.query("START TRANSACTION");
  await connection.query(
    `INSERT INTO ${place.prefix}events (stream, seq, time, event, data, bytes, event_hash)
      SELECT id, ${seq}, 0, '', '', 0, 1 FROM ${place.prefix}streams`,
  );
  return {
    async waiting() {
      const rows = await place.query(
        "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND LOCATE('$', trx_query) > 0",
      );
      return rows.length;
    },
    release: async () => void (await connection.query("ROLLBACK")),
  };
}

test("an append whose connection is lost in the midst of it is appended once", async () => {
  const [proxy] = proxies as [TcpProxy];
  const log = await openLog(await openStore(throughPort(place.url, proxy.port)));
  await log.append(eventsOf("1"));
  const held = await holdNumber(2);
  const append = log.append(eventsOf("2", "3"), { upstreamCursor: "u3" });
  await eventually(async () => (await held.waiting()) === 1, "one statement waits", lookInterval);
  // The server does not know yet: it goes on once it gets the number, and the node waits to see what becomes of it.
  proxy.reset();
  await eventually(async () => (await held.waiting()) === 2, "two statements wait", lookInterval);
  await held.release();
  expect(await append).toEqual({ first: 2, last: 3, replayed: false });
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2", "3"]);
  expect(log.state().upstreamCursor).toBe("u3");
  expect(await log.append(eventsOf("4"))).toEqual({ first: 4, last: 4, replayed: false });
});

test("an append with an unknown outcome that is found in the log later gets its numbers when it is made again with its retry token", async () => {
  const [proxy] = proxies as [TcpProxy];
  const log = await openLog(await openStore(throughPort(place.url, proxy.port)));
  const held = await holdNumber(1);
  const retryToken = {};
  const append = log.append(eventsOf("1", "2"), { upstreamCursor: "u2", retryToken });
  await eventually(async () => (await held.waiting()) === 1, "one statement waits", lookInterval);
  proxy.refuse(true);
  proxy.reset();
  await held.release();
  await eventually(async () => Number((await place.query("SELECT head FROM $streams"))[0]?.["head"]) === 2);
  await expect(append).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(eventsOf("1", "2"), { retryToken })).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(eventsOf("1", "2"))).rejects.toMatchObject({ code: "store-unavailable" });
  proxy.refuse(false);
  const again = log.append(eventsOf("1", "2"), { upstreamCursor: "u2", retryToken });
  const other = log.append(eventsOf("3"));
  expect(await again).toEqual({ first: 1, last: 2, replayed: false });
  expect(await other).toEqual({ first: 3, last: 3, replayed: false });
  // The token counts, not the events.
  expect(await log.append(eventsOf("1", "2"), { upstreamCursor: "u2" })).toMatchObject({ first: 4 });
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2", "3", "1", "2"]);
});

test("while the network hangs calls fail with store-unavailable, a store can be closed, and another goes on afterwards", async () => {
  const [proxy] = proxies as [TcpProxy];
  const url = throughPort(place.url, proxy.port);
  const [left, stays] = [await openStore(url), await openStore(url, { node: "b" })];
  const [leftLog, log] = [await openLog(left), await openLog(stays)];
  const heard = follow(log);
  await leftLog.append(eventsOf("1"));
  proxy.stall(true);
  void leftLog.append(eventsOf("lost")).catch(() => {});
  const retryToken = {};
  const calls = await Promise.allSettled([
    log.append(eventsOf("2"), { retryToken }),
    log.read(0, { limit: 1 }),
    stays.coordination!.acquire("s", 1_000),
  ]);
  for (const call of calls) expect(call).toMatchObject({ reason: { code: "store-unavailable" } });
  await left.close();
  proxy.stall(false);
  await untilDone(() => log.append(eventsOf("2"), { retryToken }));
  await eventually(() => heard.length >= 2);
  expect(heard.map(({ data }) => data)).toEqual(["1", "2"]);
}, 60_000);

import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../../src/util/logger.ts";
import type { EngineServer } from "../../support/engine-server.ts";
import { openMysqlPlace, queryMysql, startMysql } from "../../support/mysql.ts";
import { contentOf, eventsOf, follow, numbersTo, openLog } from "../../support/store-nodes.ts";
import { openStore } from "./stores.ts";

let server: EngineServer;

beforeAll(async () => {
  server = await startMysql(["max-allowed-packet=65536", "innodb-flush-log-at-trx-commit=2"]);
  await queryMysql(server.url, "CREATE USER app");
  await queryMysql(server.url, "GRANT ALL ON test.* TO app");
});

afterAll(() => server.remove());

test("a batch larger than a packet is appended completely and in order", async () => {
  const log = await openLog(await openStore(openMysqlPlace(server.url).url));
  const heard = follow(log);
  const batch = eventsOf(...numbersTo(1_000).map((number) => `${number} ${"x'\\\n".repeat(100)}`));
  expect(await log.append(batch)).toEqual({ first: 1, last: 1_000, replayed: false });
  const stored = await contentOf(log);
  expect(stored.map(({ data }) => data)).toEqual(batch.map(({ data }) => data));
  expect(heard).toEqual(stored);
});

test("an event that is larger than the server accepts fails alone, with the reason", async () => {
  const log = await openLog(await openStore(openMysqlPlace(server.url).url));
  const large = eventsOf("x".repeat(100_000));
  const [before, refused, after] = await Promise.allSettled([
    log.append(eventsOf("1")),
    log.append(large),
    log.append(eventsOf("2")),
  ]);
  expect([before.status, after.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(refused).toMatchObject({ reason: { code: "store-unavailable" } });
  expect(String((refused as PromiseRejectedResult).reason)).toContain("max_allowed_packet");
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2"]);
});

test("settings that lose events in a crash, or that large events do not fit, are logged", async () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  await openStore(openMysqlPlace(server.url).url, { logger });
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain("innodb_flush_log_at_trx_commit");
  expect(warnings[1]).toContain("max_allowed_packet");
});

test("a read-only server is store-readonly until it accepts writes again", async () => {
  const place = openMysqlPlace(server.url.replace("root@", "app@"));
  const store = await openStore(place.url);
  const log = await openLog(store);
  await queryMysql(server.url, "SET GLOBAL read_only = 1");
  await expect(log.append(eventsOf("1"))).rejects.toMatchObject({ code: "store-readonly" });
  await expect(store.coordination!.acquire("s", 1_000)).rejects.toMatchObject({ code: "store-readonly" });
  expect((await log.read(0, { limit: 1 })).events).toEqual([]);
  await queryMysql(server.url, "SET GLOBAL read_only = 0");
  expect(await log.append(eventsOf("1"))).toMatchObject({ first: 1 });
});

test("tables of a newer Spillway are not changed", async () => {
  const place = openMysqlPlace(server.url);
  await (await openStore(place.url)).close();
  await place.query("INSERT INTO $schema_version VALUES (1000)");
  await expect(openStore(place.url)).rejects.toMatchObject({ code: "store-schema" });
});

test("events in tables of an earlier version count as ingested, and an existing column is not changed", async () => {
  const place = openMysqlPlace(server.url);
  const before = await openStore(place.url);
  await (await openLog(before)).append([{ ...eventsOf("a")[0]!, upstreamId: "u" }]);
  await before.close();
  const drop = "ALTER TABLE $events DROP KEY by_publisher_id, DROP COLUMN publisher_hash, DROP COLUMN publisher_id";
  // The second time a node has died behind the statement, before it could note that it was run.
  for (const [index, change] of [drop, ""].entries()) {
    if (change) await place.query(change);
    await place.query("DELETE FROM $schema_version WHERE version > 1");
    await place.query("INSERT IGNORE INTO $schema_version VALUES (1)");
    const log = await openLog(await openStore(place.url));
    await log.append([{ ...eventsOf("b")[0]!, upstreamId: "u", published: true }]);
    const { events } = await log.read(0, { limit: 9 });
    expect(events.map(({ published }) => published)).toEqual([undefined, ...Array<true>(index + 1).fill(true)]);
    expect([await log.find({ sourceId: "u" }), await log.find({ upstreamId: "u", published: true })]).toEqual([1, 1]);
  }
});

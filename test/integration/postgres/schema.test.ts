import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createPostgresStore } from "../../../src/log/postgres/index.ts";
import { freePort } from "../../support/ports.ts";
import { openPostgresPlace, sharedPostgres, startPostgres, type PostgresPlace } from "../../support/postgres.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { contentOf, eventsOf, openLog } from "../../support/store-nodes.ts";
import { openStore } from "./stores.ts";

let place: PostgresPlace;

beforeEach(() => {
  place = openPostgresPlace();
});

afterEach(() => place.remove());

test("nodes that start together in an empty database create one schema", async () => {
  const stores = await Promise.all(
    Array.from({ length: 8 }, (_, index) => openStore(place.url, { node: `n${index}` })),
  );
  const logs = await Promise.all(stores.map(openLog));
  expect(new Set(logs.map(({ epoch }) => epoch)).size).toBe(1);
  expect(await place.query("SELECT version FROM $schema.schema_version")).toEqual([{ version: 3 }]);
});

test("a schema of a newer Spillway, and one of another program, are not changed", async () => {
  await openStore(place.url);
  await place.query("UPDATE $schema.schema_version SET version = 99");
  await expect(createPostgresStore({ url: place.url, node: "a" })).rejects.toMatchObject({ code: "store-schema" });

  const other = openPostgresPlace();
  onTestFinished(() => other.remove());
  await other.query("CREATE SCHEMA $schema; CREATE TABLE $schema.events (id integer)");
  await expect(createPostgresStore({ url: other.url, node: "a" })).rejects.toMatchObject({ code: "store-corrupt" });
  expect(await other.query("SELECT * FROM $schema.events")).toEqual([]);
  expect(await other.query("SELECT relname FROM pg_class WHERE relnamespace = '$schema'::regnamespace")).toEqual([
    { relname: "events" },
  ]);
});

test("a stream whose events contradict its row is not used", async () => {
  const store = await openStore(place.url);
  await (await openLog(store)).append(eventsOf("1", "2"));
  await store.close();
  await place.query("DELETE FROM $schema.events WHERE seq = 2");
  await expect(openLog(await openStore(place.url))).rejects.toMatchObject({ code: "store-corrupt" });
});

test("an append itself detects that the log was lost, or has lost events", async () => {
  for (const loss of [
    "DELETE FROM $schema.events; UPDATE $schema.streams SET head = 0, changes = changes - 1",
    "UPDATE $schema.events SET time = time - 1 WHERE seq = 2",
    "DELETE FROM $schema.streams",
    "DROP SCHEMA $schema CASCADE",
  ]) {
    const lossy = openPostgresPlace();
    onTestFinished(() => lossy.remove());
    const resets: string[] = [];
    const store = await openStore(lossy.url, { onReset: (stream) => resets.push(stream) });
    const log = await openLog(store);
    await log.append(eventsOf("1", "2"));
    await lossy.query(loss);
    await expect(log.append(eventsOf("3")), loss).rejects.toMatchObject({ code: "store-unavailable" });
    expect(resets, loss).toEqual(["s"]);
    expect((await openLog(store)).epoch).not.toBe(log.epoch);
  }
});

test("events in a log of an earlier version count as ingested, and others can be published next to them", async () => {
  const before = await openStore(place.url);
  await (await openLog(before)).append([{ ...eventsOf("a")[0]!, upstreamId: "u" }, ...eventsOf("b")]);
  await before.close();
  await place.query(`
    DO $$ DECLARE appends text; BEGIN
      SELECT oid::regprocedure INTO appends FROM pg_proc
        WHERE proname = 'append_events' AND pronamespace = '$schema'::regnamespace;
      EXECUTE 'DROP FUNCTION ' || appends;
    END $$;
    ALTER TABLE $schema.events DROP COLUMN publisher_id CASCADE;
    UPDATE $schema.schema_version SET version = 2`);
  const log = await openLog(await openStore(place.url));
  await log.append([{ ...eventsOf("c")[0]!, upstreamId: "u", published: true }]);
  expect((await contentOf(log)).map(({ data, upstreamId, published }) => [data, upstreamId, published])).toEqual([
    ["a", "u", undefined],
    ["b", undefined, undefined],
    ["c", "u", true],
  ]);
  expect([await log.find({ sourceId: "u" }), await log.find({ upstreamId: "u", published: true })]).toEqual([1, 1]);
  expect(await place.query("SELECT data, upstream_id FROM $schema.log ORDER BY id")).toMatchObject([
    { upstream_id: "u" },
    { upstream_id: null },
    { upstream_id: "u" },
  ]);
});

test("texts of any length can be used in filters and look-ups", async () => {
  const log = await openLog(await openStore(place.url));
  // Nothing that compresses well enough for an index entry.
  const long = Array.from({ length: 20_000 }, () => Math.random().toString(36).slice(2)).join("");
  const events = [`${long}a`, `${long}b`, "short"].map((text) => {
    return { event: text, data: "x", channel: text, upstreamId: text };
  });
  await log.append(events);
  for (const [index, { channel }] of events.entries()) {
    expect(await log.find({ upstreamId: channel })).toBe(index + 1);
    for (const filter of [{ channels: [channel] }, { events: [channel] }]) {
      expect((await log.read(0, { filter, limit: 9 })).events.map(({ seq }) => seq)).toEqual([index + 1]);
    }
  }
});

test("any PostgreSQL client can read the log", async () => {
  const log = await openLog(await openStore(place.url, { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) }));
  await log.append([{ event: "trade", data: "1\n2", channel: "btc", upstreamId: "u-1" }]);
  expect(await place.query("SELECT * FROM $schema.log")).toEqual([
    {
      stream: "s",
      id: `${log.epoch}.1`,
      time: new Date("2026-01-02T03:04:05.678Z"),
      event: "trade",
      channel: "btc",
      upstream_id: "u-1",
      data: "1\n2",
    },
  ]);
});

test("an invalid URL, an unreachable server and a wrong password are reported without the password", async () => {
  const port = await freePort();
  for (const [url, code] of [
    ["postgres://me:secret@127.0.0.1/test?schema=No;", "config-invalid"],
    ["postgres://me:secret@127.0.0.1/test?max=0", "config-invalid"],
    ["mysql://me:secret@127.0.0.1/test", "config-invalid"],
    [`postgres://me:secret@127.0.0.1:${port}/test`, "store-unavailable"],
    [sharedPostgres.replace(/\/\/[^@]*@/, "//nobody-of-this-name:secret@"), "store-unavailable"],
  ] as const) {
    const error: unknown = await createPostgresStore({ url, node: "a" }).catch((reason: unknown) => reason);
    expect(error, url).toMatchObject({ code });
    expect(String(error)).not.toContain("secret");
  }
});

test("the URL determines TLS: a server is trusted by the named certificate, and by no other", async () => {
  const certificate = selfSigned("localhost");
  const server = await startPostgres({ certificate });
  onTestFinished(() => server.remove());
  const tls = openPostgresPlace(server.url.replace("127.0.0.1", "localhost"));
  const url = `${tls.url}&sslmode=verify-full`;
  const log = await openLog(await openStore(`${url}&sslrootcert=${join(server.home, "cert.pem")}`));
  await log.append(eventsOf("1"));
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1"]);
  const connections = await tls.query(
    "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'spillway'",
  );
  expect(connections.length).toBeGreaterThan(0);
  expect(connections.every(({ ssl }) => ssl === true)).toBe(true);
  const refused = { code: "store-unavailable" };
  await expect(createPostgresStore({ url, node: "a" })).rejects.toMatchObject(refused);
  await openStore(tls.url, { client: { ssl: { ca: certificate.cert } } });
  await expect(createPostgresStore({ url: tls.url, node: "a", client: { ssl: {} } })).rejects.toMatchObject(refused);
});

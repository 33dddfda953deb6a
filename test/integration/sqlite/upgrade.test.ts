import { afterEach, beforeEach, expect, test } from "vitest";
import type { NewEvent } from "../../../src/log/log.ts";
import { loadDriver } from "../../../src/log/sqlite/driver.ts";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { createFolder, type Place } from "./places.ts";
import { openAll, readAll } from "./stores.ts";

const { DatabaseSync } = await loadDriver();

/** A database of the first version, with events. */
const firstVersion = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, head INTEGER NOT NULL DEFAULT 0,
    earliest INTEGER NOT NULL DEFAULT 1, bytes INTEGER NOT NULL DEFAULT 0, last_time INTEGER NOT NULL DEFAULT 0, upstream_cursor TEXT);
  CREATE TABLE events (stream INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, event TEXT NOT NULL, channel TEXT,
    upstream_id TEXT, data TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (stream, seq));
  CREATE INDEX events_by_type ON events (stream, event, seq);
  CREATE INDEX events_by_channel ON events (stream, channel, seq) WHERE channel IS NOT NULL;
  CREATE INDEX events_by_upstream_id ON events (stream, upstream_id, seq) WHERE upstream_id IS NOT NULL;
  CREATE INDEX events_reserved ON events (stream, seq) WHERE event >= 'spillway.' AND event < 'spillway/';
  CREATE TABLE idempotency_keys (stream INTEGER NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (stream, key));
  CREATE INDEX idempotency_keys_by_time ON idempotency_keys (time);
  CREATE VIEW log AS SELECT streams.name AS stream, epoch || '.' || seq AS id,
    strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time, event, channel, upstream_id, data
    FROM events JOIN streams ON streams.id = events.stream;
  INSERT INTO streams VALUES (1, 's', 'abcdefghij', 2, 1, 20, 5, 'u-1');
  INSERT INTO events VALUES (1, 1, 5, 'message', 'c', 'u-1', 'a', 12), (1, 2, 5, 'message', NULL, NULL, 'b', 8);
  PRAGMA application_id = 1399875948;
  PRAGMA user_version = 1;`;

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

test("events in a log of the first version count as ingested, and others can be published next to them", async () => {
  const old = new DatabaseSync(place.path, { readOnly: false });
  old.exec(firstVersion);
  old.close();
  const store = await createSqliteStore({ path: place.path, now: () => 9 });
  const log = await openAll(store);
  const event = { event: "message", channel: undefined, upstreamId: undefined, published: undefined };
  const before = [
    { ...event, seq: 1, time: 5, data: "a", channel: "c", upstreamId: "u-1" },
    { ...event, seq: 2, time: 5, data: "b" },
  ];
  expect([log.epoch, log.state().upstreamCursor, await readAll(log)]).toEqual(["abcdefghij", "u-1", before]);
  const published: NewEvent = { ...event, data: "c", upstreamId: "u-1", published: true };
  await log.append([published]);
  expect([await log.find({ sourceId: "u-1" }), await log.find({ upstreamId: "u-1", published: true })]).toEqual([1, 1]);
  expect(await readAll(log)).toEqual([...before, { ...published, seq: 3, time: 9 }]);
  await store.close();

  const database = new DatabaseSync(place.path, { readOnly: true });
  const rows = database.prepare("SELECT id, upstream_id FROM log ORDER BY id").all();
  database.close();
  expect(rows.map(({ upstream_id: id }) => id)).toEqual(["u-1", null, "u-1"]);
});

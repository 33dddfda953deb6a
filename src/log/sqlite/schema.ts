import { SpillwayError } from "../../errors.ts";
import { reservedPrefix } from "../log.ts";
import type { SqliteDatabase } from "./driver.ts";
import { transact } from "./transaction.ts";

/** "Spil": the `PRAGMA application_id` of a Spillway log. */
export const applicationId: number = 0x5370696c;

/** A condition for Spillway's own events, as a range that an index can serve: "/" is the character after ".". */
export const isReserved: string = `event >= '${reservedPrefix}' AND event < '${reservedPrefix.slice(0, -1)}/'`;

/**
 * Each migration advances the schema by one version; `PRAGMA user_version` is the number of applied ones.
 *
 * - No index on time: time never decreases with `seq`, so a time is found by binary search over (stream, seq).
 * - Events are a rowid table: WITHOUT ROWID takes twice the space if an event is larger than a quarter of a page.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL DEFAULT 0,       -- the last sequence number
    earliest INTEGER NOT NULL DEFAULT 1,   -- the first one held; head + 1 when none is
    bytes INTEGER NOT NULL DEFAULT 0,      -- of the texts of the events held
    last_time INTEGER NOT NULL DEFAULT 0,  -- of the last event, ms since 1970
    upstream_cursor TEXT                   -- the upstream's last event id that is durable
  );
  CREATE TABLE events (
    stream INTEGER NOT NULL,               -- streams.id
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,                 -- ms since 1970
    event TEXT NOT NULL,
    channel TEXT,
    upstream_id TEXT,
    data TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  );
  CREATE INDEX events_by_type ON events (stream, event, seq);
  CREATE INDEX events_by_channel ON events (stream, channel, seq) WHERE channel IS NOT NULL;
  CREATE INDEX events_by_upstream_id ON events (stream, upstream_id, seq) WHERE upstream_id IS NOT NULL;
  CREATE INDEX events_reserved ON events (stream, seq) WHERE ${isReserved};
  CREATE TABLE idempotency_keys (
    stream INTEGER NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (stream, key)
  );
  CREATE INDEX idempotency_keys_by_time ON idempotency_keys (time);
  CREATE VIEW log AS
    SELECT streams.name AS stream, epoch || '.' || seq AS id,
      strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time, event, channel, upstream_id, data
    FROM events JOIN streams ON streams.id = events.stream;
  `,
  // 1 once the stream's head is also noted outside of the database.
  "ALTER TABLE streams ADD COLUMN tracked INTEGER NOT NULL DEFAULT 0",
  `
  -- NULL for an event that was ingested, '' where a publisher gave no id; upstream_id is NULL for an event that was published.
  ALTER TABLE events ADD COLUMN publisher_id TEXT;
  CREATE INDEX events_by_publisher_id ON events (stream, publisher_id, seq) WHERE publisher_id > '';
  DROP VIEW IF EXISTS log;
  CREATE VIEW log AS
    SELECT streams.name AS stream, epoch || '.' || seq AS id,
      strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time, event, channel,
      coalesce(upstream_id, nullif(publisher_id, '')) AS upstream_id, data
    FROM events JOIN streams ON streams.id = events.stream;
  `,
];

/**
 * Migrates a database to the current version; an empty file becomes a log.
 * @throws {SpillwayError} `store-corrupt` for another application's database, `store-schema` for a newer Spillway's.
 */
export function prepareSchema(database: SqliteDatabase): void {
  const version = checkSchema(database);
  if (version === migrations.length) return;
  transact(database, () => {
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`);
  });
}

/** Returns the schema version of a log or an empty database, without writing. Throws as {@link prepareSchema} does. */
export function checkSchema(database: SqliteDatabase): number {
  const { id } = readNumbers(database, "SELECT application_id AS id FROM pragma_application_id");
  const { version = 0 } = readNumbers(database, "SELECT user_version AS version FROM pragma_user_version");
  const { tables } = readNumbers(database, "SELECT count(*) AS tables FROM sqlite_schema");
  if (id !== applicationId && (id !== 0 || tables !== 0)) {
    throw new SpillwayError("store-corrupt", "the file is a SQLite database, but not a Spillway log");
  }
  if (version > migrations.length) {
    const supported = `this version of Spillway supports up to ${migrations.length}`;
    const message = `the log has schema version ${version}, but ${supported}: use a newer version`;
    throw new SpillwayError("store-schema", message);
  }
  return version;
}

function readNumbers(database: SqliteDatabase, sql: string): Readonly<Record<string, number>> {
  return database.prepare(sql).get() as Record<string, number>;
}

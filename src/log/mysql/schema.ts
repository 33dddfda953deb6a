import { createHash } from "node:crypto";
import { SpillwayError } from "../../errors.ts";
import type { Connection } from "./connection.ts";
import { isDuplicateColumn, isMissingTable } from "./failure.ts";
import type { Location } from "./location.ts";
import { nameTables, type Tables } from "./tables.ts";

/** How long a node waits for another that brings the schema up to date, in s: less than a statement may take. */
const lockPatience = 5;

/** Texts are compared byte by byte, by Spillway itself: an index holds numbers that stand for them, see `hash.ts`. */
const text = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/**
 * Each takes the schema one version further. A statement that defines a table commits by itself, so each statement does no harm where
 * it was run before.
 *
 * - No index on time: it never decreases with `seq`, so a time is found by halving over (stream, seq).
 * - `revision` counts the changes of what a log's state says: of two copies of a row the greater one is the later.
 * - `writers` holds the number of the last transaction of each open store on each stream, see `transaction.ts`.
 */
const migrations: readonly ((tables: Tables) => readonly string[])[] = [
  ({ streams, events, idempotencyKeys, writers, wants }) => [
    `CREATE TABLE IF NOT EXISTS ${streams} (
      id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
      name VARBINARY(1024) NOT NULL,
      epoch VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      head BIGINT NOT NULL DEFAULT 0 COMMENT 'the last sequence number',
      earliest BIGINT NOT NULL DEFAULT 1 COMMENT 'the first one held; head + 1 when none is',
      bytes BIGINT NOT NULL DEFAULT 0 COMMENT 'of the texts of the events held',
      last_time BIGINT NOT NULL DEFAULT 0 COMMENT 'of the last event, ms since 1970',
      revision BIGINT NOT NULL DEFAULT 0,
      upstream_cursor ${text} COMMENT 'the upstream''s last event id that is durable',
      lease_fence BIGINT NOT NULL DEFAULT 0 COMMENT 'of the latest lease',
      lease_node VARBINARY(255) COMMENT 'who had the latest lease',
      lease_until DATETIME(6) COMMENT 'UTC; NULL when it was given back',
      UNIQUE KEY by_name (name)
    ) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${events} (
      stream INT UNSIGNED NOT NULL COMMENT 'id of the stream',
      seq BIGINT NOT NULL,
      time BIGINT NOT NULL COMMENT 'ms since 1970',
      event ${text} NOT NULL,
      channel ${text},
      upstream_id ${text},
      data ${text} NOT NULL,
      bytes INT UNSIGNED NOT NULL,
      event_hash INT UNSIGNED NOT NULL COMMENT '0 for Spillway''s own types',
      channel_hash INT UNSIGNED,
      upstream_hash INT UNSIGNED,
      PRIMARY KEY (stream, seq),
      KEY by_type (stream, event_hash, seq),
      KEY by_channel (stream, channel_hash, seq),
      KEY by_upstream_id (stream, upstream_hash, seq)
    ) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${idempotencyKeys} (
      stream INT UNSIGNED NOT NULL,
      digest BINARY(32) NOT NULL COMMENT 'stands for the key; its first 8 bytes for the owner',
      fingerprint ${text} NOT NULL,
      first_seq BIGINT NOT NULL,
      last_seq BIGINT NOT NULL,
      time BIGINT NOT NULL,
      PRIMARY KEY (stream, digest),
      KEY by_time (time)
    ) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${writers} (
      writer BINARY(16) NOT NULL,
      stream INT UNSIGNED NOT NULL,
      transactions BIGINT NOT NULL,
      written DATETIME NOT NULL COMMENT 'UTC',
      PRIMARY KEY (writer, stream)
    ) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${wants} (
      stream VARBINARY(1024) NOT NULL COMMENT 'name of the stream',
      node VARBINARY(255) NOT NULL,
      wanted_until DATETIME(6) NOT NULL COMMENT 'UTC',
      PRIMARY KEY (stream, node)
    ) ENGINE = InnoDB`,
  ],
  ({ events }) => [
    `ALTER TABLE ${events}
      ADD COLUMN publisher_id ${text}
        COMMENT 'NULL for an event that was ingested, empty where a publisher gave no id; then upstream_id is NULL',
      ADD COLUMN publisher_hash INT UNSIGNED,
      ADD KEY by_publisher_id (stream, publisher_hash, seq)`,
  ],
];

/**
 * Brings the tables to the current version, one node at a time. `repair` recreates missing ones.
 * @throws {SpillwayError} `store-schema` for tables of a newer Spillway, `store-locked` where another node takes too long.
 */
export async function prepareSchema(
  connection: Connection,
  { database, prefix }: Location,
  repair: boolean,
): Promise<void> {
  const tables = nameTables(prefix);
  if (!repair && (await readVersion(connection, tables)) === migrations.length) return;
  const lock = lockName(database, prefix);
  const [locked] = await connection.rows("SELECT GET_LOCK(?, ?) AS locked", [lock, lockPatience]);
  if (locked?.["locked"] !== 1) {
    throw new SpillwayError("store-locked", "another node is bringing the schema up to date");
  }
  await migrate(connection, tables, repair);
  await connection.rows("SELECT RELEASE_LOCK(?)", [lock]);
}

async function migrate(connection: Connection, tables: Tables, repair: boolean): Promise<void> {
  const version = await readVersion(connection, tables);
  for (const migration of migrations.slice(repair ? 0 : version)) {
    for (const statement of migration(tables)) {
      await connection.run(statement).catch((error: unknown) => {
        if (!isDuplicateColumn(error)) throw error;
      });
    }
  }
  if (version === migrations.length) return;
  await connection.run(
    `CREATE TABLE IF NOT EXISTS ${tables.versions} (version INT NOT NULL PRIMARY KEY) ENGINE = InnoDB`,
  );
  await connection.run(`INSERT IGNORE INTO ${tables.versions} (version) VALUES (?)`, [migrations.length]);
}

async function readVersion(connection: Connection, { versions }: Tables): Promise<number> {
  const version = await connection.rows(`SELECT MAX(version) AS version FROM ${versions}`).then(
    ([row]) => Number(row?.["version"] ?? 0),
    (error: unknown) => {
      if (isMissingTable(error)) return 0;
      throw error;
    },
  );
  if (version > migrations.length) {
    const message = `the log has schema version ${version}, this Spillway knows up to ${migrations.length}: use a newer one`;
    throw new SpillwayError("store-schema", message);
  }
  return version;
}

/** A lock is of the whole server and its name is short. */
function lockName(database: string, prefix: string): string {
  return `spillway_${createHash("sha256").update(`${database}/${prefix}`).digest("hex").slice(0, 32)}`;
}

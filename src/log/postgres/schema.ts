import { SpillwayError } from "../../errors.ts";
import { reservedPrefix } from "../log.ts";
import type { Connections, RunStatement } from "./connections.ts";
import { appendFunction, findTimeFunction, trimFunction } from "./functions.ts";

/** True of Spillway's own events, as a range that an index can serve: "/" follows "." in the order of characters. */
export const isReserved: string = `event >= '${reservedPrefix}' AND event < '${reservedPrefix.slice(0, -1)}/'`;

/** The part of a text that is indexed: an index entry is bounded (about 2,700 bytes), a text is not. */
export const indexed = (column: string): string => `left(${column}, 100)`;

/** The hash of a text, for an index: texts with the same beginning do not share an entry. */
export const hashed = (column: string): string => `hashtextextended(${column}, 0)`;

/**
 * Each takes the schema one version further; the table `schema_version` counts those applied.
 *
 * - No index on time: it never decreases with `seq`, so a time is found by halving over (stream, seq).
 * - Texts compare by their bytes (`COLLATE "C"`), which is faster, and the order that `isReserved` needs.
 * - Rows that change with each append leave room in their page, so that a change touches no index.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE $schema.streams (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    epoch text NOT NULL,
    changes bigint NOT NULL DEFAULT 0,     -- counts the changes of this row but those of the lease
    head bigint NOT NULL DEFAULT 0,        -- the last sequence number
    earliest bigint NOT NULL DEFAULT 1,    -- the first one held; head + 1 when none is
    bytes bigint NOT NULL DEFAULT 0,       -- of the texts of the events held
    last_time bigint NOT NULL DEFAULT 0,   -- of the last event, ms since 1970
    upstream_cursor text,                  -- the upstream's last event id that is durable
    fence bigint NOT NULL DEFAULT 0,       -- of the latest lease
    holder text,                           -- the node that has the lease
    holder_store text,                     -- and the one store on it that has
    lease_ends timestamptz
  ) WITH (fillfactor = 50);
  CREATE TABLE $schema.events (
    stream bigint NOT NULL,                -- streams.id
    seq bigint NOT NULL,
    time bigint NOT NULL,                  -- ms since 1970
    event text COLLATE "C" NOT NULL,
    channel text COLLATE "C",
    upstream_id text COLLATE "C",
    data text COLLATE "C" NOT NULL,
    bytes integer NOT NULL,
    PRIMARY KEY (stream, seq)
  );
  CREATE INDEX events_by_type ON $schema.events (stream, ${indexed("event")}, seq);
  CREATE INDEX events_by_channel ON $schema.events (stream, ${indexed("channel")}, seq) WHERE channel IS NOT NULL;
  CREATE INDEX events_by_upstream_id ON $schema.events (stream, ${indexed("upstream_id")}, seq)
    WHERE upstream_id IS NOT NULL;
  CREATE INDEX events_reserved ON $schema.events (stream, seq) WHERE ${isReserved};
  CREATE TABLE $schema.idempotency_keys (
    stream bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (stream, key)
  );
  CREATE INDEX idempotency_keys_by_time ON $schema.idempotency_keys (time);
  CREATE TABLE $schema.writers (         -- the last group of appends of each store, in case its answer was lost
    stream bigint NOT NULL,
    writer text NOT NULL,
    number bigint NOT NULL,                -- of the group
    size integer NOT NULL,                 -- appends in it; 0 for one that was called off
    start bigint NOT NULL,                 -- the head before it
    exceptions jsonb NOT NULL,             -- appends in it that appended nothing
    time timestamptz NOT NULL,
    PRIMARY KEY (stream, writer)
  ) WITH (fillfactor = 50);
  CREATE TABLE $schema.wants (           -- nodes that need a stream's events
    stream bigint NOT NULL,
    node text NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (stream, node)
  );
  CREATE VIEW $schema.log AS
    SELECT streams.name AS stream, epoch || '.' || seq AS id, to_timestamp(time / 1000.0) AS time, event, channel,
      upstream_id, data
    FROM $schema.events JOIN $schema.streams ON streams.id = events.stream;
  ${trimFunction}
  ${findTimeFunction}
  `,
  // An event counts for more than its texts: what is stored stays as it is.
  trimFunction,
  // The function of version 1 that appends has fewer parameters. It stays where it is, for nodes that have yet to be brought up to date.
  `
  -- NULL for an event that was ingested, '' where a publisher gave no id; upstream_id is NULL for an event that was published.
  ALTER TABLE $schema.events ADD COLUMN publisher_id text COLLATE "C";
  CREATE INDEX events_by_publisher_id ON $schema.events (stream, ${hashed("publisher_id")}, seq) WHERE publisher_id > '';
  CREATE OR REPLACE VIEW $schema.log AS
    SELECT streams.name AS stream, epoch || '.' || seq AS id, to_timestamp(time / 1000.0) AS time, event, channel,
      coalesce(upstream_id, nullif(publisher_id, '')) AS upstream_id, data
    FROM $schema.events JOIN $schema.streams ON streams.id = events.stream;
  ${appendFunction}
  `,
];

/** A text of SQL with the names in use; a channel has that of its schema. */
function named(text: string, schema: string): string {
  return text.replaceAll("$schema", `"${schema}"`).replaceAll("$channel", schema);
}

/**
 * Brings the schema to the current version, making it on first use. Nodes may do so at once: one does, the others wait for it.
 * @throws {SpillwayError} `store-schema` for one of a newer Spillway; otherwise as {@link Connections.run}.
 */
export async function prepareSchema({ run, transact }: Connections, schema: string): Promise<void> {
  if ((await readVersion(run, schema)) === migrations.length) return;
  await transact(async (inTransaction) => {
    const lock = { text: "SELECT pg_advisory_xact_lock(hashtextextended('spillway ' || $1, 0))", values: [schema] };
    await inTransaction(lock);
    const version = await readVersion(inTransaction, schema);
    const steps = [...(version === undefined ? [foundation] : []), ...migrations.slice(version ?? 0)];
    for (const step of [...steps, setVersion]) await inTransaction({ text: named(step, schema) });
  });
}

/** The right to make a schema is needed only where there is none. */
const foundation = `
  DO $$ BEGIN
    IF to_regnamespace('$schema') IS NULL THEN CREATE SCHEMA $schema; END IF;
  END $$;
  CREATE TABLE $schema.schema_version (version integer NOT NULL);
  INSERT INTO $schema.schema_version VALUES (0)`;

const setVersion = `UPDATE $schema.schema_version SET version = ${migrations.length}`;

const selectVersionTable = `
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = 'schema_version'`;

/** The version of what is there; `undefined` for nothing. */
async function readVersion(run: RunStatement, schema: string): Promise<number | undefined> {
  // Not by to_regclass, which may answer from what this session remembers of before it had the lock.
  const [found] = await run({ text: selectVersionTable, values: [schema] });
  if (!found) return undefined;
  const [row] = await run({ text: named("SELECT version FROM $schema.schema_version", schema) });
  const version = Number(row?.version);
  if (version > migrations.length) {
    const known = `this Spillway knows up to ${migrations.length}: use a newer one`;
    throw new SpillwayError("store-schema", `the log has schema version ${version}, ${known}`);
  }
  return version;
}

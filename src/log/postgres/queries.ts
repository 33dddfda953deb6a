import { ownerLength } from "../idempotency.ts";
import type { SqlValue, Statement } from "./driver.ts";
import { createEventQueries, type EventQueries, type SnapshotQuery } from "./event-queries.ts";
import { encodeText } from "./text.ts";

/** The columns of a stream's row, of the table `s`. */
export const streamColumns = "s.id, s.epoch, s.changes, s.head, s.earliest, s.bytes, s.last_time, s.upstream_cursor";

/** The statements over one schema. */
export interface Queries extends EventQueries {
  /** A stream by its name, made with this epoch if there is none; with the bounds of the events that are there. */
  openStream(name: string, epoch: string): Statement;
  /** Streams' ids with the number of their changes. */
  selectChanges(ids: readonly number[]): Statement;
  /** A stream's row, the time of its event `known`, and what `query` reads: all in one snapshot. */
  inSnapshot(id: number, known: number, query: SnapshotQuery): Statement;
  /** Gives a log that has lost its event `head` another epoch; nothing if it has not lost it, or has one already. */
  renewEpoch(id: number, epoch: string, next: string, head: number, time: number): Statement;
  /** Calls `append_events`. */
  append(values: readonly SqlValue[]): Statement;
  /** Calls `trim_events`. */
  trim(values: readonly SqlValue[]): Statement;
  /** Removes what is older than it need be: idempotency keys by the caller's clock, the rest by the server's. */
  prune(keysBefore: number, limit: number): readonly Statement[];
  /** Removes idempotency keys of a stream that has more than `max`. */
  boundKeys(id: number, max: number): Statement;
}

/** Makes the statements over a schema. */
export function createQueries(schema: string): Queries {
  const table = (name: string): string => `"${schema}".${name}`;

  return {
    ...createEventQueries(schema),
    openStream: (name, epoch) => ({
      // The row that another node has just made is not in the snapshot of this statement: it is run again.
      text: `
        WITH made AS (
          INSERT INTO ${table("streams")} (name, epoch)
          SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM ${table("streams")} WHERE name = $1)
          ON CONFLICT (name) DO NOTHING RETURNING *
        ), s AS (SELECT * FROM made UNION ALL SELECT * FROM ${table("streams")} WHERE name = $1)
        SELECT ${streamColumns},
          (SELECT min(seq) FROM ${table("events")} e WHERE e.stream = s.id) AS lowest,
          (SELECT max(seq) FROM ${table("events")} e WHERE e.stream = s.id) AS highest
        FROM s`,
      values: [encodeText(name), epoch],
    }),
    selectChanges: (ids) => ({
      name: "spillway_changes",
      text: `SELECT id, changes FROM ${table("streams")} WHERE id = ANY($1::bigint[])`,
      values: [ids],
    }),
    inSnapshot: (id, known, query) => ({
      ...(query.name === undefined ? {} : { name: query.name }),
      text: `
        SELECT ${streamColumns}, mark.time AS mark, q.*
        FROM ${table("streams")} s
        LEFT JOIN ${table("events")} mark ON mark.stream = s.id AND mark.seq = $2
        LEFT JOIN LATERAL (${query.text}) q ON true
        WHERE s.id = $1`,
      values: [id, known, ...query.values],
    }),
    renewEpoch: (id, epoch, next, head, time) => ({
      text: `
        UPDATE ${table("streams")} SET epoch = $3, changes = changes + 1
        WHERE id = $1 AND epoch = $2 AND (head < $4
          OR EXISTS (SELECT FROM ${table("events")} WHERE stream = $1 AND seq = $4 AND time <> $5))
        RETURNING id`,
      values: [id, epoch, next, head, time],
    }),
    append: (values) => ({
      name: "spillway_append",
      text: `SELECT ${table("append_events")}(${values.map((_, index) => `$${index + 1}`).join(", ")}) AS result`,
      values,
    }),
    trim: (values) => ({
      name: "spillway_trim",
      text: `SELECT ${table("trim_events")}(${values.map((_, index) => `$${index + 1}`).join(", ")}) AS result`,
      values,
    }),
    // Of each owner the latest key comes first, then the second of each, and so on: what is behind the first `max` is too much.
    boundKeys: (id, max) => ({
      text: `
        DELETE FROM ${table("idempotency_keys")} WHERE stream = $1 AND key IN (
          SELECT key FROM (
            SELECT key, row_number() OVER (ORDER BY age, first DESC) AS place FROM (
              SELECT key, first, row_number() OVER (PARTITION BY left(key, ${ownerLength}) ORDER BY first DESC) AS age
              FROM ${table("idempotency_keys")}
              WHERE stream = $1 AND (SELECT count(*) FROM ${table("idempotency_keys")} WHERE stream = $1) > $2
            ) ranked
          ) placed WHERE place > $2)`,
      values: [id, max],
    }),
    prune: (keysBefore, limit) => [
      {
        text: `DELETE FROM ${table("idempotency_keys")} WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM ${table("idempotency_keys")} WHERE time <= $1 ORDER BY time LIMIT $2))`,
        values: [keysBefore, limit],
      },
      { text: `DELETE FROM ${table("writers")} WHERE time < clock_timestamp() - interval '7 days'` },
      { text: `DELETE FROM ${table("wants")} WHERE ends < clock_timestamp() - interval '1 day'` },
    ],
  };
}

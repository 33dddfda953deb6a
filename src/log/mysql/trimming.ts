import { LogReplacedError, type TrimBounds, type TrimStep } from "../engine/driver.ts";
import { heldBytes } from "../event-bytes.ts";
import { ownerLength } from "../idempotency.ts";
import type { Connection } from "./connection.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** The log to trim. */
export interface TrimmedLog {
  /** Id of the stream. */
  readonly id: number;
  readonly epoch: string;
}

/**
 * Removes at most `limit` of a log's oldest events, those outside the bounds. It does not take the stream's lock, so that no append
 * waits for it.
 */
export async function trimEvents(
  connection: Connection,
  tables: Tables,
  log: TrimmedLog,
  bounds: TrimBounds,
  limit: number,
): Promise<TrimStep> {
  for (;;) {
    const row = await readRow(connection, tables, log);
    // Most of the time there is nothing to do.
    if ((await trimmedRow(connection, tables, row, bounds, 1)) === row) return { removed: 0, state: row };
    const { earliest, bytes } = await trimmedRow(connection, tables, row, bounds, limit);
    // Of several nodes one moves the beginning; from then on no node reads what lies before it.
    const moved = await connection.run(
      `UPDATE ${tables.streams} SET earliest = ?, bytes = bytes - ?, revision = revision + 1
      WHERE id = ? AND epoch = ? AND earliest = ?`,
      [earliest, row.bytes - bytes, row.id, row.epoch, row.earliest],
    );
    // Twice as many as a step removes: a node that died before this left some.
    await connection.run(`DELETE FROM ${tables.events} WHERE stream = ? AND seq < ? ORDER BY seq LIMIT ?`, [
      row.id,
      moved > 0 ? earliest : row.earliest,
      2 * limit,
    ]);
    if (moved > 0) return { removed: earliest - row.earliest, state: await readRow(connection, tables, log) };
  }
}

/** Forgets idempotency keys of a stream until `max` are left. */
export async function boundKeys(connection: Connection, tables: Tables, stream: number, max: number): Promise<void> {
  const countKeys = `SELECT COUNT(*) AS count FROM ${tables.idempotencyKeys} WHERE stream = ?`;
  const [row] = await connection.rows(countKeys, [stream]);
  if (Number(row?.["count"]) > max) await connection.run(deleteSurplus(tables), [stream, stream, max]);
}

/** Of each owner the latest key comes first, then the second of each, and so on: what is behind the first `max` is too much. */
const deleteSurplus = ({ idempotencyKeys }: Tables): string => `
  DELETE FROM ${idempotencyKeys} WHERE stream = ? AND digest IN (
    SELECT digest FROM (
      SELECT digest, ROW_NUMBER() OVER (ORDER BY age, first_seq DESC) AS place FROM (
        SELECT digest, first_seq,
          ROW_NUMBER() OVER (PARTITION BY LEFT(digest, ${ownerLength / 2}) ORDER BY first_seq DESC) AS age
        FROM ${idempotencyKeys} WHERE stream = ?) AS ranked
    ) AS placed WHERE place > ?)`;

/** Idempotency keys that are pruned at once, at most. */
const pruneSize = 1_000;

/** Forgets idempotency keys from before a time, in ms since 1970, and what was left by nodes that are gone. */
export async function prune(connection: Connection, tables: Tables, keysBefore: number): Promise<void> {
  const dayAgo = "UTC_TIMESTAMP() - INTERVAL 1 DAY";
  const deleteKeys = `DELETE FROM ${tables.idempotencyKeys} WHERE time <= ? ORDER BY time LIMIT ?`;
  await connection.run(deleteKeys, [keysBefore, pruneSize]);
  await connection.run(`DELETE FROM ${tables.writers} WHERE written < ${dayAgo}`);
  await connection.run(`DELETE FROM ${tables.wants} WHERE wanted_until < ${dayAgo}`);
}

async function readRow(connection: Connection, { streams }: Tables, { id, epoch }: TrimmedLog): Promise<StreamRow> {
  const [found] = await connection.rows(`SELECT ${streamColumns} FROM ${streams} WHERE id = ?`, [id]);
  const row = found && toStreamRow(found);
  if (row?.epoch !== epoch) throw new LogReplacedError();
  return row;
}

/** The stream's row without the oldest events that are outside the bounds, at most `limit` of them; the same row if there are none. */
async function trimmedRow(
  connection: Connection,
  { events: table }: Tables,
  row: StreamRow,
  { before = -Infinity, events = Infinity, bytes = Infinity }: TrimBounds,
  limit: number,
): Promise<StreamRow> {
  const { head } = row;
  let { earliest, bytes: held } = row;
  const oldest = await connection.rows(
    `SELECT time, bytes FROM ${table} WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT ?`,
    [row.id, earliest, limit],
  );
  for (const { time, bytes: size } of oldest) {
    const fits = head - earliest + 1 <= events && heldBytes({ head, earliest, bytes: held }) <= bytes;
    if (fits && Number(time) >= before) break;
    held -= Number(size);
    earliest++;
  }
  return earliest === row.earliest ? row : { ...row, earliest, bytes: held };
}

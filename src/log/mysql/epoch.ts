import { newEpoch } from "../cursor.ts";
import type { StoredState } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow } from "./driver.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** What a node knows to be durable of a stream. */
export interface Known extends StoredState {
  readonly id: number;
}

/**
 * Whether the row is of the log that the node knows, and has not lost anything of it: a database may be restored from an older copy,
 * or another one may take over without the latest events. `time` is that of the event where the node knows the head; `undefined` if
 * that is no longer held.
 */
export function isSameLog(row: StreamRow, time: number | undefined, known: Known): boolean {
  const { epoch, head, lastTime, revision } = known;
  const reaches = row.epoch === epoch && row.head >= head && row.revision >= revision;
  // Numbers may have been given anew, to other events.
  return reaches && (time === undefined || time === lastTime);
}

/** Selects the time of the event where the node knows the head; two values. */
export function selectTime({ events }: Tables): string {
  return `SELECT time FROM ${events} WHERE stream = ? AND seq = ?`;
}

/** What {@link selectTime} found. */
export function toTime(rows: readonly SqlRow[]): number | undefined {
  return rows[0] && Number(rows[0]["time"]);
}

/**
 * Gives a stream a new epoch, in a transaction that has locked `row`; commits it. Numbers and events stay: they continue from what
 * is left, and no cursor of the log before is valid. A lease ends.
 */
export async function renewEpoch(connection: Connection, { streams }: Tables, row: StreamRow): Promise<void> {
  await connection.script(
    `UPDATE ${streams} SET epoch = ?, revision = revision + 1, lease_fence = lease_fence + 1, lease_until = NULL
    WHERE id = ?; COMMIT`,
    [newEpoch(), row.id],
  );
}

/** Looks at the row under its lock, and gives the stream a new epoch if the log lost its end. Resolves to whether the log is another. */
export async function renewIfLost(connection: Connection, tables: Tables, known: Known): Promise<boolean> {
  const results = await connection.script(
    `START TRANSACTION; SELECT ${streamColumns} FROM ${tables.streams} WHERE id = ? FOR UPDATE; ${selectTime(tables)}`,
    [known.id, known.id, known.head],
  );
  const [rows, times] = results.slice(1) as [readonly SqlRow[], readonly SqlRow[]];
  const row = rows[0] && toStreamRow(rows[0]);
  const same = row !== undefined && isSameLog(row, toTime(times), known);
  if (row?.epoch === known.epoch && !same) await renewEpoch(connection, tables, row);
  else await connection.run("ROLLBACK");
  return !same;
}

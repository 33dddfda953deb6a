import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import type { StoredState } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import type { Tables } from "./tables.ts";

/** A stream's row. */
export interface StreamRow extends StoredState {
  readonly id: number;
  /** Of the latest lease; 0 before the first. */
  readonly fence: number;
  /** The node that had the latest lease. */
  readonly leaseNode: string | undefined;
}

/** The columns of a {@link StreamRow}. */
export const streamColumns: string = `
  id, epoch, head, earliest, bytes, last_time AS lastTime, revision, upstream_cursor AS upstreamCursor,
  lease_fence AS fence, lease_node AS leaseNode`;

/** Takes a row apart that has the {@link streamColumns}. */
export function toStreamRow(row: SqlRow): StreamRow {
  return {
    id: Number(row["id"]),
    epoch: String(row["epoch"]),
    head: Number(row["head"]),
    earliest: Number(row["earliest"]),
    bytes: Number(row["bytes"]),
    lastTime: Number(row["lastTime"]),
    revision: Number(row["revision"]),
    upstreamCursor: optionalText(row["upstreamCursor"]),
    fence: Number(row["fence"]),
    leaseNode: optionalText(row["leaseNode"]),
  };
}

/** A text out of a column of characters or bytes. */
export function optionalText(value: SqlValue | undefined): string | undefined {
  if (value === null || value === undefined) return undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

/**
 * Reads a stream's row, or makes one.
 * @throws {SpillwayError} `store-corrupt` where the stream's events contradict it.
 */
export async function openStream(connection: Connection, tables: Tables, name: string): Promise<StreamRow> {
  const key = Buffer.from(name);
  const select = `SELECT ${streamColumns},
    (SELECT MIN(seq) FROM ${tables.events} WHERE stream = s.id AND seq >= s.earliest) AS lowest,
    (SELECT MAX(seq) FROM ${tables.events} WHERE stream = s.id) AS highest
    FROM ${tables.streams} AS s WHERE name = ?`;
  let [row] = await connection.rows(select, [key]);
  if (row === undefined) {
    // Of several nodes one makes it.
    await connection.run(`INSERT IGNORE INTO ${tables.streams} (name, epoch) VALUES (?, ?)`, [key, newEpoch()]);
    [row] = await connection.rows(select, [key]);
  }
  requireWhole(name, row!);
  return toStreamRow(row!);
}

/** Numbers that were handed out must not be handed out again, so a row that its events contradict is not built upon. */
function requireWhole(name: string, { head, earliest, lowest, highest }: SqlRow): void {
  const empty = Number(earliest) === Number(head) + 1;
  const whole = lowest === null ? empty : highest === head && lowest === earliest;
  if (whole) return;
  const should = `should hold the events ${Number(earliest)} to ${Number(head)}`;
  const holds = lowest === null ? "none" : `${Number(lowest)} to ${Number(highest)}`;
  throw new SpillwayError("store-corrupt", `the stream ${name} ${should}, but holds ${holds}`);
}

import type { ScanRange } from "../engine/driver.ts";
import { originOf } from "../engine/logged-events.ts";
import type { LogEvent } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow } from "./driver.ts";
import { type Bounds, readsData, selectEvents } from "./queries.ts";
import { optionalText, type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** What a scan found, all of it in one snapshot. */
export interface Scanned {
  /** Absent where the stream is gone. */
  readonly row: StreamRow | undefined;
  /** The events looked at that are held, in the direction of the scan: those that match, and maybe others. */
  readonly events: readonly LogEvent[];
  /** The last event that was looked at; `from` if there was none. */
  readonly seq: number;
  /** Whether no event is left beyond. */
  readonly end: boolean;
}

/** What one scan looks at, at most: it bounds what is in memory at once. */
const scanRows = 1_000;
const scanBytes = 4 * 1024 * 1024;

/** With a filter a scan may meet events that do not match, so it looks at no fewer than this. */
const filteredRows = 100;
const filteredBytes = 256 * 1024;

/** Scans the events of the stream `id`. */
export async function scanEvents(
  connection: Connection,
  tables: Tables,
  id: number,
  range: ScanRange,
): Promise<Scanned> {
  const { direction, filter, from } = range;
  const bounds = boundsOf(range);
  const { sql, values } = selectEvents(tables, filter, direction, { stream: id, from, ...bounds });
  const results = await connection.script(
    `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY;
    SELECT ${streamColumns} FROM ${tables.streams} WHERE id = ?; ${sql}; COMMIT`,
    [id, ...values],
  );
  const [streams, rows] = results.slice(2) as [readonly SqlRow[], readonly SqlRow[]];
  const row = streams[0] && toStreamRow(streams[0]);
  const earliest = row?.earliest ?? 1;
  const sign = direction === "forward" ? 1 : -1;
  const found = rows.map(toEvent).toSorted((a, b) => (a.seq - b.seq) * sign);
  const seq = found.at(-1)?.seq ?? from;
  const size = rows.reduce((sum, { bytes }) => sum + Number(bytes), 0);
  const complete = found.length < bounds.limit && size < bounds.maxBytes;
  return {
    row,
    // A trim that was cut short leaves some that are no longer held.
    events: found.filter((event) => event.seq >= earliest),
    seq,
    end: complete || (direction === "backward" && seq < earliest),
  };
}

function boundsOf({ direction, filter, limit, maxBytes }: ScanRange): Bounds {
  // Without data, its size needs no bound.
  if (!readsData(filter, direction)) return { limit: scanRows, maxBytes: Number.MAX_SAFE_INTEGER };
  const [rows, bytes] = filter ? [filteredRows, filteredBytes] : [1, 1];
  return {
    limit: Math.min(Math.max(limit, rows), scanRows),
    maxBytes: Math.min(Math.max(maxBytes, bytes), scanBytes),
  };
}

function toEvent(row: SqlRow): LogEvent {
  const { upstreamId, published } = originOf(optionalText(row["upstream_id"]), optionalText(row["publisher_id"]));
  return {
    seq: Number(row["seq"]),
    time: Number(row["time"]),
    event: String(row["event"]),
    data: String(row["data"]),
    channel: optionalText(row["channel"]),
    upstreamId,
    published,
  };
}

import { originOf } from "../engine/ids.ts";
import type { LogEvent, LogFilter } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { SqlRow } from "./driver.ts";
import { type Direction, selectEvents } from "./queries.ts";
import { optionalText } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** Where a stream's events are read. */
export interface EventSource {
  readonly connections: Connections;
  readonly tables: Tables;
  /** Id of the stream. */
  readonly stream: number;
}

/** A step of a way through a stream's events. */
export interface Step {
  readonly direction: Direction;
  readonly filter: LogFilter | undefined;
  /** The sequence number to go on from, not included. */
  readonly from: number;
  /** Looks at no more events. */
  readonly limit: number;
  /** Looks at no more events behind the one that reaches so many bytes. */
  readonly maxBytes: number;
}

/** What a step came across, all of it in one snapshot. */
export interface Found {
  readonly head: number;
  readonly earliest: number;
  /** The events looked at that are held, in the order of the walk: those that match, and maybe others. */
  readonly events: readonly FoundEvent[];
  /** The last event that was looked at; `from` if there was none. */
  readonly seq: number;
  /** Whether there may be events beyond. */
  readonly more: boolean;
}

/** An event and what it counts for. */
export interface FoundEvent {
  readonly event: LogEvent;
  readonly bytes: number;
}

/** What one step looks at, at most: it bounds what is in memory at once. */
export const stepRows = 1_000;
export const stepBytes: number = 4 * 1024 * 1024;

/**
 * Takes one step.
 * @throws {SpillwayError} `store-unavailable`, `store-corrupt`, `store-closed`.
 */
export function walkOn({ connections, tables, stream }: EventSource, step: Step): Promise<Found> {
  return connections.ask(async (connection) => {
    const { bounds, rows } = await readSnapshot(connection, tables, stream, step);
    const [head, earliest] = [Number(bounds?.["head"] ?? 0), Number(bounds?.["earliest"] ?? 1)];
    const found = rows.map(toFound).toSorted((a, b) => (a.event.seq - b.event.seq) * sign(step.direction));
    const read = found.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      head,
      earliest,
      // Behind a trim that was cut short there may be some that are held no more.
      events: found.filter(({ event }) => event.seq >= earliest),
      seq: found.at(-1)?.event.seq ?? step.from,
      more: found.length >= step.limit || read >= step.maxBytes,
    };
  });
}

function sign(direction: Direction): number {
  return direction === "forward" ? 1 : -1;
}

async function readSnapshot(
  connection: Connection,
  tables: Tables,
  stream: number,
  { direction, filter, ...range }: Step,
): Promise<{ readonly bounds: SqlRow | undefined; readonly rows: readonly SqlRow[] }> {
  const { sql, values } = selectEvents(tables, filter, direction, { stream, ...range });
  const results = await connection.script(
    `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY;
    SELECT head, earliest FROM ${tables.streams} WHERE id = ?; ${sql}; COMMIT`,
    [stream, ...values],
  );
  const [bounds] = results[2] as readonly SqlRow[];
  return { bounds, rows: results[3] as readonly SqlRow[] };
}

function toFound(row: SqlRow): FoundEvent {
  const { upstreamId, published } = originOf(optionalText(row["upstream_id"]), optionalText(row["publisher_id"]));
  const event = {
    seq: Number(row["seq"]),
    time: Number(row["time"]),
    event: String(row["event"]),
    data: String(row["data"]),
    channel: optionalText(row["channel"]),
    upstreamId,
    published,
  };
  return { event, bytes: Number(row["bytes"]) };
}

import type { ScanRange } from "../engine/driver.ts";
import { eventOverhead } from "../event-bytes.ts";
import type { LogFilter } from "../log.ts";
import type { SqlParameters } from "./connection.ts";
import { hashText, hashType, reservedHash } from "./hash.ts";
import type { Tables } from "./tables.ts";

/** A statement and its values. */
export interface Query {
  readonly sql: string;
  readonly values: SqlParameters;
}

type Direction = ScanRange["direction"];

/** How much is selected. */
export interface Bounds {
  /** At most this many events. */
  readonly limit: number;
  /** Ends with the event that reaches this many bytes. */
  readonly maxBytes: number;
}

/** Which events are selected. */
export interface Range extends Bounds {
  /** Id of the stream. */
  readonly stream: number;
  /** The sequence number to start from, not included. */
  readonly from: number;
}

/** Beyond this many values scanning every event is cheaper than merging the index ranges. */
const maxMerged = 32;

/** Whether a scan reads the data of events. Going backward they are only counted, unless a condition needs the data. */
export function readsData(filter: LogFilter | undefined, direction: Direction): boolean {
  return direction === "forward" || filter?.where !== undefined;
}

function columns(withData: boolean): string {
  const [data, bytes] = withData ? ["e.data", `e.bytes + ${eventOverhead}`] : ["'' AS data", "0"];
  return `e.seq, e.time, e.event, ${data}, e.channel, e.upstream_id, e.publisher_id, ${bytes} AS bytes`;
}

/**
 * Selects a stream's next events, in any order: all that match the filter, and others at most where the filter has both channels and
 * types, or more values than can be merged, or values of equal hash. The numbers are chosen first, so that no more data is read than
 * the bound on bytes lets pass.
 */
export function selectEvents(tables: Tables, filter: LogFilter | undefined, direction: Direction, range: Range): Query {
  const chosen = chooseNumbers(tables, filter, direction, range);
  const sql = `
    SELECT ${columns(readsData(filter, direction))}
    FROM (SELECT seq, SUM(bytes + ${eventOverhead}) OVER (ORDER BY ${order(direction)}) - bytes - ${eventOverhead} AS bytes_before FROM (${chosen.sql}) AS chosen) AS placed
    STRAIGHT_JOIN ${tables.events} AS e ON e.stream = ? AND e.seq = placed.seq
    WHERE placed.bytes_before < ?`;
  return { sql, values: [...chosen.values, range.stream, range.maxBytes] };
}

function chooseNumbers(tables: Tables, filter: LogFilter | undefined, direction: Direction, range: Range): Query {
  const { channels, events } = filter ?? {};
  if (channels && channels.length <= maxMerged) {
    const hashes = new Set(channels.map(hashText));
    return merge(tables, [...Array.from(hashes, byChannel), byType(reservedHash)], direction, range);
  }
  if (events && events.length <= maxMerged) {
    const hashes = new Set([...events.map(hashType), reservedHash]);
    return merge(tables, Array.from(hashes, byType), direction, range);
  }
  return {
    sql: `SELECT seq, bytes FROM ${tables.events} WHERE ${inRange(direction)} ${ordered(direction)}`,
    values: [range.stream, range.from, range.limit],
  };
}

/** A range of an index. */
interface IndexRange {
  readonly index: string;
  readonly column: string;
  readonly hash: number;
}

function byChannel(hash: number): IndexRange {
  return { index: "by_channel", column: "channel_hash", hash };
}

function byType(hash: number): IndexRange {
  return { index: "by_type", column: "event_hash", hash };
}

/** One ordered range of an index per value, and one of the reserved types, which pass every filter; each is read up to the limit. */
function merge(
  { events }: Tables,
  ranges: readonly IndexRange[],
  direction: Direction,
  { stream, from, limit }: Range,
): Query {
  const parts = ranges.map(
    ({ index, column }) =>
      `(SELECT seq, bytes FROM ${events} FORCE INDEX (${index})
        WHERE ${inRange(direction)} AND ${column} = ? ${ordered(direction)})`,
  );
  return {
    sql: `SELECT seq, bytes FROM (${parts.join(" UNION ")}) AS merged ${ordered(direction)}`,
    values: [...ranges.flatMap(({ hash }) => [stream, from, hash, limit]), limit],
  };
}

function inRange(direction: Direction): string {
  return `stream = ? AND seq ${direction === "forward" ? ">" : "<"} ?`;
}

function ordered(direction: Direction): string {
  return `ORDER BY ${order(direction)} LIMIT ?`;
}

function order(direction: Direction): string {
  return direction === "forward" ? "seq" : "seq DESC";
}

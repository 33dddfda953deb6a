import { matches } from "../filter.ts";
import { originOf } from "../ids.ts";
import type { LogEvent, LogFilter } from "../log.ts";
import type { SqlRow } from "./driver.ts";
import type { Direction } from "./event-queries.ts";
import type { Queries } from "./queries.ts";
import type { ReadSnapshot } from "./snapshots.ts";
import type { StreamState } from "./streams.ts";
import { decodeOptionalText, decodeText } from "./text.ts";

/** A way through a stream's events, in turns of bounded work. */
export interface Walk {
  readonly direction: Direction;
  readonly filter: LogFilter | undefined;
  /** At most so many events in one turn: what is wanted, where all that is looked at matches. */
  readonly rows: number;
  /** No event in one turn behind those that reach this many bytes. */
  readonly bytes: number;
  /** Called with each match and its bytes; true ends the walk. */
  visit(event: LogEvent, bytes: number): boolean;
}

/** Where a turn of a walk stopped. */
export interface Stop {
  /** The stream as it was in this turn. */
  readonly state: StreamState;
  /** The last event that was looked at; where the walk went on from, if there was none. */
  readonly seq: number;
  /** `visited`: `visit` has enough. `end`: no event is left. `turn`: the next turn is to go on from here. */
  readonly reason: "visited" | "end" | "turn";
}

/** What one turn looks at, at most: a few milliseconds of work. */
const turnRows = 1_000;
const turnBytes = 4 * 1024 * 1024;

/** Takes one turn of a walk, from `from` on (not included). */
export async function walkOn(read: ReadSnapshot, queries: Queries, walk: Walk, from: number): Promise<Stop> {
  const { direction, filter, visit } = walk;
  const [rowLimit, byteLimit] = [Math.min(walk.rows, turnRows), Math.min(walk.bytes, turnBytes)];
  const { state, rows } = await read(
    queries.selectEvents({ filter, direction, from, rows: rowLimit, bytes: byteLimit }),
  );
  let seq = from;
  let looked = 0;
  let bytes = 0;
  for (const row of rows) {
    // Where there is no event, there is one row: that of the stream.
    if (row.seq === null) break;
    const event = toEvent(row);
    ({ seq } = event);
    looked++;
    bytes += Number(row.size);
    if (matches(filter, event) && visit(event, Number(row.size))) return { state, seq, reason: "visited" };
  }
  return { state, seq, reason: looked >= rowLimit || bytes >= byteLimit ? "turn" : "end" };
}

/** An event out of its row. */
function toEvent(row: SqlRow): LogEvent {
  const { upstreamId, published } = originOf(
    decodeOptionalText(row.upstream_id as string | null),
    decodeOptionalText(row.publisher_id as string | null),
  );
  return {
    seq: Number(row.seq),
    time: Number(row.time),
    event: decodeText(row.event as string),
    data: decodeText(row.data as string),
    channel: decodeOptionalText(row.channel as string | null),
    upstreamId,
    published,
  };
}

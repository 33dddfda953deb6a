import { eventOverhead } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import { originOf } from "../engine/ids.ts";
import type { LogEvent, LogFilter } from "../log.ts";
import type { SqlRow } from "./driver.ts";
import { type Direction, selectEvents } from "./queries.ts";
import type { Statements } from "./statements.ts";
import { decodeOptionalText, decodeText } from "./text.ts";

/** A way through a stream's events, in turns of bounded work. */
export interface Walk {
  /** Id of the stream. */
  readonly stream: number;
  readonly direction: Direction;
  readonly filter: LogFilter | undefined;
  /** Called with each match and its bytes; true ends the walk. */
  visit(event: LogEvent, bytes: number): boolean;
}

/** Where a turn of a walk stopped. */
export interface Stop {
  /** The last event that was looked at; where the walk went on from, if there was none. */
  readonly seq: number;
  /** `visited`: `visit` has enough. `end`: no event is left. `turn`: the next turn is to go on from here. */
  readonly reason: "visited" | "end" | "turn";
}

/** What one turn looks at, at most: a few milliseconds of work. */
const turnRows = 1_000;
const turnBytes = 4 * 1024 * 1024;

/** Takes one turn of a walk, from `from` on (not included). */
export function walkOn(statement: Statements, { stream, direction, filter, visit }: Walk, from: number): Stop {
  const { sql, values } = selectEvents(filter, direction);
  let seq = from;
  let rows = 0;
  let bytes = 0;
  for (const row of statement(sql).iterate(stream, from, ...values)) {
    const event = toEvent(row);
    const size = Number(row.bytes) + eventOverhead;
    ({ seq } = event);
    if (matches(filter, event) && visit(event, size)) return { seq, reason: "visited" };
    rows++;
    bytes += size;
    if (rows >= turnRows || bytes >= turnBytes) return { seq, reason: "turn" };
  }
  return { seq, reason: "end" };
}

function toEvent(row: SqlRow): LogEvent {
  const { upstreamId, published } = originOf(decodeOptionalText(row.upstream_id), decodeOptionalText(row.publisher_id));
  return {
    seq: Number(row.seq),
    time: Number(row.time),
    event: decodeText(row.event),
    data: decodeText(row.data),
    channel: decodeOptionalText(row.channel),
    upstreamId,
    published,
  };
}

import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import { isExact } from "./event-queries.ts";
import type { Queries } from "./queries.ts";
import type { ReadSnapshot } from "./snapshots.ts";
import { type Walk, walkOn } from "./walk.ts";

/** Reads a page: at once where the filter's index leads straight to it, else in several turns. */
export async function readPage(
  read: ReadSnapshot,
  queries: Queries,
  after: number,
  options: ReadOptions,
): Promise<LogPage> {
  const { filter, limit, maxBytes = Infinity } = options;
  const exact = isExact(filter);
  const events: LogEvent[] = [];
  let collected = 0;
  const nextTurn = (): Walk => ({
    direction: "forward",
    filter,
    rows: exact || limit <= 0 ? Math.max(0, limit - events.length) : Infinity,
    bytes: exact ? Math.max(1, maxBytes - collected) : Infinity,
    visit(event, bytes) {
      events.push(event);
      collected += bytes;
      return events.length >= limit || collected >= maxBytes;
    },
  });

  let scanned = after;
  let earliest: number | undefined;
  for (;;) {
    const before = events.length;
    const stop = await walkOn(read, queries, nextTurn(), scanned);
    earliest ??= stop.state.earliest;
    // Trimmed since the first turn, beyond where this walk had come to: the next page is to show that hole.
    if (stop.state.earliest > Math.max(earliest, scanned + 1)) {
      return { events: events.slice(0, before), scanned, earliest };
    }
    if (limit <= 0) return { events, scanned, earliest };
    scanned = stop.reason === "end" ? Math.max(stop.seq, stop.state.head) : stop.seq;
    if (stop.reason !== "turn") return { events, scanned, earliest };
  }
}

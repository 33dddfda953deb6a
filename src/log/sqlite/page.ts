import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import { readBounds } from "./bounds.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Statements } from "./statements.ts";
import { walkOn, type Walk } from "./walk.ts";

/** Reads a page: at once where the filter's index leads straight to it, else in several turns. */
export async function readPage(
  snapshots: Snapshots,
  stream: number,
  after: number,
  options: ReadOptions,
): Promise<LogPage> {
  const { filter, limit, maxBytes = Infinity } = options;
  const events: LogEvent[] = [];
  let collected = 0;
  const walk: Walk = {
    stream,
    direction: "forward",
    filter,
    visit(event, bytes) {
      events.push(event);
      collected += bytes;
      return events.length >= limit || collected >= maxBytes;
    },
  };

  let scanned = after;
  let earliest: number | undefined;
  /** Returns whether the page is complete. */
  function turn(statement: Statements): boolean {
    const bounds = readBounds(statement, stream);
    earliest ??= bounds.earliest;
    if (limit <= 0) return true;
    // Trimmed since the first turn, beyond where this walk has come to: the next page is to show that hole.
    if (bounds.earliest > Math.max(earliest, scanned + 1)) return true;
    const stop = walkOn(statement, walk, scanned);
    scanned = stop.reason === "end" ? Math.max(stop.seq, bounds.head) : stop.seq;
    return stop.reason !== "turn";
  }
  while (!snapshots.read(turn)) await nextTurn();
  return { events, scanned, earliest: earliest! };
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import { readBounds } from "./bounds.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Statements } from "./statements.ts";
import { walkOn, type Walk } from "./walk.ts";

/** Reads a page: what one turn finds. */
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

  function turn(statement: Statements): LogPage {
    const { head, earliest } = readBounds(statement, stream);
    if (limit <= 0) return { events, scanned: after, earliest };
    const { seq, reason } = walkOn(statement, walk, after);
    const scanned = reason === "end" ? Math.max(seq, head) : seq;
    if (!filter) assertWhole(events, Math.max(after + 1, earliest), scanned);
    return { events, scanned, earliest };
  }
  const page = snapshots.read(turn);
  // Who looks for something rare comes back at once.
  if (events.length === 0) await nextTurn();
  return page;
}

/** Numbers have no holes, and a damaged index may leave events out without an error of its own. */
function assertWhole(events: readonly LogEvent[], first: number, last: number): void {
  const hole = events.findIndex(({ seq }, index) => seq !== first + index);
  const missing = first + (hole === -1 ? events.length : hole);
  if (missing <= last) throw new SpillwayError("store-corrupt", `the event ${missing} is missing from the log`);
}

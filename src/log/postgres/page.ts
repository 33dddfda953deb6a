import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import { isExact } from "./event-queries.ts";
import type { Queries } from "./queries.ts";
import type { ReadSnapshot } from "./snapshots.ts";
import { type Walk, walkOn } from "./walk.ts";

/** Reads a page: what one turn finds. */
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
  const walk: Walk = {
    direction: "forward",
    filter,
    rows: exact || limit <= 0 ? Math.max(0, limit) : Infinity,
    bytes: exact ? Math.max(1, maxBytes) : Infinity,
    visit(event, bytes) {
      events.push(event);
      collected += bytes;
      return events.length >= limit || collected >= maxBytes;
    },
  };
  const { seq, reason, state } = await walkOn(read, queries, walk, after);
  const { head, earliest } = state;
  if (limit <= 0) return { events, scanned: after, earliest };
  return { events, scanned: reason === "end" ? Math.max(seq, head) : seq, earliest };
}

import { matches } from "../filter.ts";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import { type EventSource, type Found, stepBytes, stepRows, walkOn } from "./walk.ts";

/** Reads a page: in one step where the filter's index leads straight to it, else in a few. */
export async function readPage(source: EventSource, after: number, options: ReadOptions): Promise<LogPage> {
  const { filter, limit, maxBytes = Infinity } = options;
  const step = { direction: "forward" as const, filter, ...stepBounds(options) };
  const events: LogEvent[] = [];
  let collected = 0;
  let scanned = after;
  let earliest: number | undefined;
  let looked = 0;

  /** Returns whether the page is complete. */
  function take(found: Found): boolean {
    earliest ??= found.earliest;
    if (limit <= 0) return true;
    // Trimmed since the first step, beyond where this walk has come to: the next page is to show that hole.
    if (found.earliest > Math.max(earliest, scanned + 1)) return true;
    for (const { event, bytes } of found.events) {
      scanned = event.seq;
      if (!matches(filter, event)) continue;
      events.push(event);
      collected += bytes;
      if (events.length >= limit || collected >= maxBytes) return true;
    }
    scanned = Math.max(scanned, found.more ? found.seq : found.head);
    looked += found.events.length;
    return !found.more || looked >= stepRows;
  }

  while (!take(await walkOn(source, { ...step, from: scanned })));
  return { events, scanned, earliest: earliest! };
}

/** Without a filter a step is the page. With one it may meet what does not match, so it is not made all too small. */
function stepBounds({ filter, limit, maxBytes = stepBytes }: ReadOptions): { limit: number; maxBytes: number } {
  const [rows, bytes] = filter ? [100, 256 * 1024] : [1, 1];
  return {
    limit: Math.min(Math.max(limit, rows), stepRows),
    maxBytes: Math.min(Math.max(maxBytes, bytes), stepBytes),
  };
}

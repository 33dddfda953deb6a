import { eventBytes } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import type { Batch, Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { Search } from "./search.ts";

/** What reading needs of a log. */
export interface Reading {
  readonly head: Head;
  readonly batches: Batches;
  readonly search: Search;
  /** Resolves once this node knows all that was in the log when it was called. */
  catchUp(): Promise<void>;
}

/** Events that a page looks at, at most, but for the rest of a message. */
const pageLook = 1_024;

/** A page that is being filled. */
interface OpenPage {
  readonly events: LogEvent[];
  readonly from: number;
  scanned: number;
  earliest: number;
  bytes: number;
  /** Events that were looked at. */
  looked: number;
  /** It is full, has looked at enough, or ends before a hole that the next one is to show. */
  complete: boolean;
}

/** Reads a page. */
export async function readPage(reading: Reading, after: number, options: ReadOptions): Promise<LogPage> {
  const { earliest } = reading.head.standing;
  const from = Math.max(after, earliest - 1);
  const complete = options.limit <= 0;
  const page: OpenPage = { events: [], from, scanned: from, earliest, bytes: 0, looked: 0, complete };
  await fill(reading, page, options);
  if (!page.complete) {
    // It reaches the last event that this node knows: others may have appended since.
    await reading.catchUp();
    await fill(reading, page, options);
  }
  const { events, scanned } = page;
  return { events, scanned, earliest: page.earliest };
}

async function fill(reading: Reading, page: OpenPage, options: ReadOptions): Promise<void> {
  const { head, batches, search } = reading;
  const target = head.standing.head;
  if (page.complete || page.scanned >= target) return;
  for await (const batch of batches.forward(await search.place(page.scanned + 1))) {
    if (batch.record.head <= page.scanned) continue;
    skipHole(page, batch.events[0]!.seq, head.standing.earliest);
    if (!page.complete) take(page, batch, options, search);
    if (page.complete) return;
  }
  // Retention has removed the rest in between.
  if (page.scanned < target) skipHole(page, target + 1, head.standing.earliest);
}

/** Begins the page behind what is gone, or ends it before that. */
function skipHole(page: OpenPage, next: number, earliest: number): void {
  if (next <= page.scanned + 1) return;
  if (page.scanned > page.from) {
    page.complete = true;
    return;
  }
  page.earliest = Math.max(next, earliest);
  page.scanned = page.earliest - 1;
}

function take(page: OpenPage, { seq, record, events }: Batch, options: ReadOptions, search: Search): void {
  const { filter, limit, maxBytes = Infinity } = options;
  for (let index = Math.max(0, events.length - (record.head - page.scanned)); index < events.length; index++) {
    const event = events[index]!;
    page.scanned = event.seq;
    if (!matches(filter, event)) continue;
    page.events.push(event);
    page.bytes += eventBytes(event);
    if (page.events.length < limit && page.bytes < maxBytes) continue;
    page.complete = true;
    search.remember(event.seq + 1, index + 1 < events.length ? seq : seq + 1);
    return;
  }
  page.looked += events.length;
  if (page.looked < pageLook) return;
  page.complete = true;
  search.remember(record.head + 1, seq + 1);
}

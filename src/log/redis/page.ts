import { eventBytes, heldBytes } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import type { Command, Reply } from "./driver.ts";
import { toEntries, toEvent } from "./entry.ts";
import type { Snapshot } from "./schema.ts";

/** Looks at a log: where it stands, and what the commands answer, in one state of the server. */
export type Look = (...commands: readonly Command[]) => Promise<Sight>;

/** What was seen. */
export interface Sight {
  readonly snapshot: Snapshot;
  readonly replies: readonly Reply[];
}

/** What one turn asks for, at most: the server is busy with it for about a millisecond. */
const turnEvents = 512;
const turnBytes = 1024 * 1024;

/** What a page looks at, at most, where the filter lets few events pass. */
const pageEvents = 1_024;

/** How many entries to ask for, so that they are about `bytes` where events are as large as those held on average. */
export function entriesFor(standing: Omit<Snapshot, "epoch">, bytes: number = turnBytes): number {
  const average = (heldBytes(standing) + 1) / (standing.head - standing.earliest + 2);
  return Math.max(1, Math.min(turnEvents, Math.ceil(Math.min(bytes, turnBytes) / Math.max(average, 1))));
}

/** Reads a page, in several turns where the filter lets few events pass. `about` is where the log stood a moment ago. */
export async function readPage(
  look: Look,
  key: string,
  after: number,
  options: ReadOptions,
  about: Omit<Snapshot, "epoch">,
): Promise<LogPage> {
  const { filter, limit, maxBytes = Infinity } = options;
  const events: LogEvent[] = [];
  let collected = 0;
  let scanned = after;
  let earliest: number | undefined;
  let looked = 0;

  /** Returns whether the page is full. */
  function take(event: LogEvent): boolean {
    scanned = event.seq;
    if (!matches(filter, event)) return false;
    events.push(event);
    collected += eventBytes(event);
    return events.length >= limit || collected >= maxBytes;
  }

  for (;;) {
    const most = entriesFor(about, filter ? turnBytes : maxBytes - collected);
    const count = filter ? most : Math.max(1, Math.min(most, limit - events.length));
    const { snapshot, replies } = await look(["XRANGE", key, `${scanned + 1}-0`, "+", "COUNT", String(count)]);
    earliest ??= snapshot.earliest;
    if (limit <= 0) break;
    // Trimmed since the first turn, beyond where this page has come to: the next page is to show that hole.
    if (snapshot.earliest > Math.max(earliest, scanned + 1)) break;
    const entries = toEntries(replies[0]!);
    if (entries.some((entry) => take(toEvent(entry)))) break;
    if (entries.length < count) {
      scanned = Math.max(scanned, snapshot.head);
      break;
    }
    looked += entries.length;
    if (looked >= pageEvents) break;
  }
  return { events, scanned, earliest };
}

import type { TrimBounds } from "../engine/driver.ts";
import { eventOverhead, textBytes } from "../event-bytes.ts";
import type { Batches } from "./batches.ts";
import type { Committer } from "./committer.ts";
import { controlDraft } from "./draft.ts";
import type { Head } from "./head.ts";
import type { LogRecord, Standing } from "./record.ts";
import type { LogNames } from "./schema.ts";
import type { Search } from "./search.ts";

/** Applies retention to one log. */
export interface Trimmer {
  /**
   * Advances the log's `earliest`.
   * @returns the number of removed events.
   */
  trim(bounds: TrimBounds): Promise<number>;
}

/** The new start of a log. */
type Edge = Pick<Standing, "earliest" | "trimmed" | "floor">;

/** Makes the trimmer of a log. `now` is the node's clock, in ms since 1970. */
export function createTrimmer(
  names: LogNames,
  head: Head,
  batches: Batches,
  search: Search,
  committer: Committer,
  now: () => number,
): Trimmer {
  /** The time of the first held event, if known. */
  let oldest: { readonly earliest: number; readonly time: number } | undefined;

  async function isOlder(time: number): Promise<boolean> {
    if (time === -Infinity) return false;
    const { earliest, floor } = head.standing;
    if (oldest?.earliest !== earliest) {
      const first = await batches.next(floor);
      if (!first) return false;
      oldest = { earliest, time: first.record.time };
    }
    return oldest.time < time;
  }

  async function edgeOf({ before: oldestKept = -Infinity, events, bytes }: TrimBounds): Promise<Edge | undefined> {
    const { seq, standing } = head;
    if (standing.head < standing.earliest) return undefined;
    const firstKept = events === undefined ? 0 : standing.head - events + 1;
    const skipped = bytes === undefined ? 0 : upTo(standing) - bytes;
    const isTooMuch =
      standing.earliest < firstKept || upTo({ head: standing.earliest - 1, bytes: standing.trimmed }) < skipped;
    if (!isTooMuch && !(await isOlder(oldestKept))) return undefined;
    const isKept = (record: LogRecord): boolean =>
      record.head >= firstKept && upTo(record) >= skipped && record.time >= oldestKept;
    const found = await search.first(isKept);
    const batch = found && (await batchAt(found.seq));
    if (!batch) return { earliest: standing.head + 1, trimmed: standing.bytes, floor: seq + 1 };
    let { head: earliest, bytes: trimmed } = before(batch.record);
    for (const event of batch.events) {
      const isEnough = upTo({ head: earliest, bytes: trimmed }) >= skipped;
      if (event.seq >= firstKept && isEnough && event.seq >= standing.earliest) break;
      earliest = event.seq;
      trimmed += textBytes(event);
    }
    return { earliest: earliest + 1, trimmed, floor: batch.seq };
  }

  async function batchAt(seq: number): Promise<Awaited<ReturnType<Batches["decode"]>>> {
    for await (const batch of batches.forward(seq)) return batch;
    return undefined;
  }

  async function move(edge: Edge): Promise<number> {
    let removed = 0;
    await committer.commit((standing) => {
      removed = 0;
      if (edge.earliest <= standing.earliest) return undefined;
      removed = edge.earliest - standing.earliest;
      return controlDraft(names, { ...standing, ...edge, at: Math.max(now(), standing.at) });
    });
    return removed;
  }

  return {
    async trim(bounds) {
      const edge = await edgeOf(bounds);
      return edge ? move(edge) : 0;
    },
  };
}

/** The size for retention of all events up to `head`, whose texts have `bytes`. */
function upTo({ head, bytes }: Pick<Standing, "head" | "bytes">): number {
  return bytes + eventOverhead * head;
}

/** The last event before a message, and the bytes up to it. */
function before({ head, count, bytes, size }: LogRecord): { readonly head: number; readonly bytes: number } {
  return { head: head - count, bytes: bytes - size };
}

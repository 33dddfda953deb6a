import { toLogEvent } from "../engine/logged-events.ts";
import { SpillwayError } from "../../errors.ts";
import type { Batch, BatchOutcome, GroupResult } from "../engine/driver.ts";
import { textBytes } from "../event-bytes.ts";
import type { Appended, LogEvent } from "../log.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import type { StreamRow } from "./streams.ts";

/** What a transaction writes, and the result of its group once it is committed. */
export interface Draft extends GroupResult {
  /** The stream's row behind the group. */
  readonly state: StreamRow;
  readonly events: readonly LogEvent[];
  /** The events as SQL, see {@link DraftContext.encode}. */
  readonly encoded: readonly string[];
  /** False if no batch has anything to write. */
  readonly writes: boolean;
}

/** What a draft depends on. */
export interface DraftContext {
  /** The stream's row, which is locked. */
  readonly locked: StreamRow;
  /** The node's name, as leases have it. */
  readonly node: string;
  readonly keys: IdempotencyKeys;
  /**
   * Writes an event as SQL.
   * @throws {SpillwayError} for an event that the server does not take: its batch is refused.
   */
  encode(event: LogEvent): string;
}

/** Numbers the batches of a group behind the head of the stream. */
export function draftGroup(group: readonly Batch[], { locked, node, keys, encode }: DraftContext): Draft {
  const row = { ...locked, revision: locked.revision + 1 };
  const events: LogEvent[] = [];
  const encoded: string[] = [];
  let writes = false;

  function append(batch: Batch): Appended {
    const { options, clock } = batch;
    if (isLeaseLost(options.fence, locked, node)) throw new SpillwayError("lease-lost");
    const replayed = keys.replay(batch);
    if (replayed) return replayed;
    const time = Math.max(clock, row.lastTime);
    const numbered = batch.events.map((event, index) => toLogEvent(event, row.head + 1 + index, time));
    const rows = numbered.map(encode);
    writes = true;
    const appended = { first: row.head + 1, last: row.head + numbered.length, replayed: false };
    for (const [index, event] of numbered.entries()) {
      events.push(event);
      encoded.push(rows[index]!);
      row.bytes += textBytes(event);
      row.lastTime = time;
    }
    row.head = appended.last;
    if (options.upstreamCursor !== undefined) row.upstreamCursor = options.upstreamCursor || undefined;
    keys.remember(batch, appended);
    return appended;
  }

  const outcomes = group.map((batch) => orRefused(() => append(batch)));
  return { state: writes ? row : locked, events, encoded, outcomes, writes };
}

/** The latest lease is the only one that counts, even if no node has it any more. */
function isLeaseLost(fence: number | undefined, { fence: latest, leaseNode }: StreamRow, node: string): boolean {
  return fence !== undefined && (fence !== latest || leaseNode !== node);
}

function orRefused(append: () => Appended): BatchOutcome {
  try {
    return append();
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
}

import { SpillwayError } from "../../errors.ts";
import { textBytes } from "../event-bytes.ts";
import type { LogEvent } from "../log.ts";
import type { AppendOutcome, AppendRequest } from "./append-queue.ts";
import { type Failure, toFailure } from "./failure.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import type { StreamRow } from "./streams.ts";

/** What a transaction is going to write, and what its appends are to be answered with once it is committed. */
export interface Draft {
  /** The stream's row as it will be. */
  readonly row: StreamRow;
  readonly events: readonly LogEvent[];
  readonly outcomes: readonly AppendOutcome[];
  /** False if no append has anything to write. */
  readonly writes: boolean;
}

/** Numbers the appends of a group behind the head of the stream, which is locked. */
export function draftAppends(
  requests: readonly AppendRequest[],
  locked: StreamRow,
  node: string,
  keys: IdempotencyKeys,
): Draft {
  const row = { ...locked, revision: locked.revision + 1 };
  const events: LogEvent[] = [];
  let writes = false;

  function append(request: AppendRequest): AppendOutcome {
    const { options, now } = request;
    if (isLeaseLost(options.fence, locked, node)) return toFailure(new SpillwayError("lease-lost"), "");
    const replayed = keys.replay(request);
    if (replayed) return { ...replayed, time: now };
    writes = true;
    const first = row.head + 1;
    const time = Math.max(now, row.lastTime);
    for (const event of request.events) {
      const { channel, upstreamId, published, data } = event;
      events.push({ seq: ++row.head, time, event: event.event, data, channel, upstreamId, published });
      row.bytes += textBytes(event);
      row.lastTime = time;
    }
    if (options.upstreamCursor !== undefined) row.upstreamCursor = options.upstreamCursor || undefined;
    const appended = { first, last: row.head, replayed: false };
    keys.remember(request, appended);
    return { ...appended, time };
  }

  const outcomes = requests.map((request) => orFailure(() => append(request)));
  return { row, events, outcomes, writes };
}

/** The latest lease is the only one that counts, even when nobody has it any more. */
function isLeaseLost(fence: number | undefined, { fence: latest, leaseNode }: StreamRow, node: string): boolean {
  return fence !== undefined && (fence !== latest || leaseNode !== node);
}

function orFailure(append: () => AppendOutcome): AppendOutcome | Failure {
  try {
    return append();
  } catch (error) {
    if (error instanceof SpillwayError) return toFailure(error, "");
    throw error;
  }
}

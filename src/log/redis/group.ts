/** A group of batches as it goes to the server, and what comes back. */
import { SpillwayError } from "../../errors.ts";
import type { Batch, BatchOutcome, StoredState } from "../engine/driver.ts";
import { publisherIdOf, sourceIdOf } from "../engine/logged-events.ts";
import { keyName } from "../idempotency.ts";
import type { Retention } from "../log.ts";

/** What the script that appends answers. */
export interface GroupAnswer {
  /** What became of each batch: a status, and the first and the last number. Empty where the group was called off. */
  readonly results: readonly (readonly [status: number, first: number, last: number])[];
  /** The time of the group's events. */
  readonly time: number;
  readonly state: StoredState;
}

/** What a status of the script says. */
const status = { replayed: 1, conflict: 2, leaseLost: 3 };

/** The arguments of the script that appends, behind those of all scripts. `now` is in ms since 1970. */
export function groupArguments(
  sender: string,
  number: number,
  now: number,
  retention: Retention,
  group: readonly Batch[],
): string[] {
  const bounds = [retention.age, retention.events, retention.bytes].map((bound) => String(bound ?? ""));
  const args = [sender, String(number), String(now), ...bounds, String(group.length)];
  for (const batch of group) pushBatch(args, batch);
  return args;
}

/** What became of each batch of a group. */
export function toOutcomes(results: GroupAnswer["results"]): BatchOutcome[] {
  return results.map(([code, first, last]) => {
    if (code === status.conflict) return new SpillwayError("idempotency-conflict");
    if (code === status.leaseLost) return new SpillwayError("lease-lost");
    return { first, last, replayed: code === status.replayed };
  });
}

function pushBatch(args: string[], { events, options }: Batch): void {
  const { fence, upstreamCursor, idempotency } = options;
  args.push(
    fence === undefined ? "" : String(fence),
    upstreamCursor === undefined ? "" : `=${upstreamCursor}`,
    idempotency ? `=${keyName(idempotency)}` : "",
    idempotency?.fingerprint ?? "",
    String(events.length),
  );
  for (const event of events) {
    const { channel } = event;
    const [sourceId, publisherId] = [sourceIdOf(event), publisherIdOf(event)];
    const flags =
      (channel === undefined ? 0 : 1) + (sourceId === undefined ? 0 : 2) + (publisherId === undefined ? 0 : 4);
    args.push(String(flags), event.event, event.data);
    for (const text of [channel, sourceId, publisherId]) if (text !== undefined) args.push(text);
  }
}

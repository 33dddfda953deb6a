import { keyName } from "../idempotency.ts";
import { publisherIdOf, sourceIdOf } from "../engine/ids.ts";
import type { Retention } from "../log.ts";
import type { AppendResult, QueuedAppend } from "./appender.ts";
import type { Reply } from "./driver.ts";

/** The outcomes of one append, as the script numbers them. */
const statuses = ["appended", "replayed", "conflict", "lease-lost"] as const;

/** The arguments of the script that appends, behind those of all scripts. */
export function groupArguments(
  sender: string,
  number: number,
  now: number,
  retention: Retention,
  group: readonly QueuedAppend[],
): string[] {
  const bounds = [retention.age, retention.events, retention.bytes].map((bound) => String(bound ?? ""));
  const args = [sender, String(number), String(now), ...bounds, String(group.length)];
  for (const append of group) pushAppend(args, append);
  return args;
}

/** What the script answered for each append. */
export function toResults(reply: Reply): readonly AppendResult[] {
  return (reply as readonly (readonly number[])[]).map(([status, first, last]) => {
    return { status: statuses[status!]!, first: first!, last: last! };
  });
}

function pushAppend(args: string[], { events, options }: QueuedAppend): void {
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

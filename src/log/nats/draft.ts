import { newEpoch } from "../cursor.ts";
import { keyName } from "../idempotency.ts";
import type { LogEvent } from "../log.ts";
import type { QueuedAppend } from "./append-queue.ts";
import type { Draft, PlacedBatch } from "./committer.ts";
import { type LogRecord, type Standing, standingOf } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** What a message is made of beside its batches. */
export interface DraftContent {
  /** Now, by the nodes' clock, in ms since 1970. */
  readonly time: number;
  /** The body; empty where it is in other messages, the pieces. */
  readonly data: Uint8Array;
  readonly pieces: readonly number[] | undefined;
}

/** The message with these batches that is to follow where the log stands; `undefined` for none. */
export function draftOf(
  names: LogNames,
  group: readonly QueuedAppend[],
  standing: Standing,
  { time, data, pieces }: DraftContent,
): Draft | undefined {
  if (group.length === 0) return undefined;
  const idempotency = group[0]?.options.idempotency;
  const events = place(group, standing.head, Math.max(time, standing.time));
  const size = group.reduce((sum, append) => sum + append.size, 0);
  const cursor = cursorOf(group) ?? standing.upstreamCursor;
  const record: LogRecord = {
    ...standingOf(standing),
    head: standing.head + events.length,
    bytes: standing.bytes + size,
    time: events.at(-1)?.time ?? standing.time,
    at: Math.max(time, standing.at),
    upstreamCursor: cursor === "" ? undefined : cursor,
    // A log that was made anew has yet to learn of the lease.
    fence: Math.max(standing.fence, ...group.map(({ options }) => options.fence ?? 0)),
    token: newEpoch(),
    count: events.length,
    size,
    pieces,
    fingerprint: idempotency?.fingerprint,
  };
  const subject = idempotency ? names.keyed(keyName(idempotency)) : names.plain;
  return { subject, record, data, events, batches: batchesOf(group, standing.head) };
}

/** The upstream cursor that the last batch names that names one. */
export function cursorOf(group: readonly QueuedAppend[]): string | undefined {
  return group.findLast(({ options }) => options.upstreamCursor !== undefined)?.options.upstreamCursor;
}

function place(group: readonly QueuedAppend[], head: number, time: number): LogEvent[] {
  let seq = head;
  return group.flatMap(({ events }) =>
    events.map(({ event, data, channel, upstreamId, published }) => {
      return { seq: ++seq, time, event, data, channel, upstreamId, published };
    }),
  );
}

function batchesOf(group: readonly QueuedAppend[], head: number): PlacedBatch[] {
  let last = head;
  return group.map(({ identity, events }) => {
    const first = last + 1;
    last += events.length;
    return { identity, first, last };
  });
}

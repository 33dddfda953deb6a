import { toLogEvent } from "../engine/logged-events.ts";
import { newEpoch } from "../cursor.ts";
import { keyName } from "../idempotency.ts";
import type { Appended, LogEvent } from "../log.ts";
import type { EncodedBatch } from "./encoded-batch.ts";
import { controlRecord, type LogRecord, type Standing, standingOf } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** A message that is to follow right behind the last one known. */
export interface Draft {
  readonly subject: string;
  readonly record: LogRecord;
  readonly data: Uint8Array;
  readonly events: readonly LogEvent[];
  /** The numbers of each batch in it. */
  readonly appended: readonly Appended[];
  /** Removes the messages before it on its subject. */
  readonly replaces?: boolean;
}

/** What a message is made of beside its batches. */
export interface DraftContent {
  /** Now, by the nodes' clock, in ms since 1970. */
  readonly time: number;
  /** The body; empty where it is in other messages, the pieces. */
  readonly data: Uint8Array;
  readonly pieces: readonly number[] | undefined;
}

const noData = new Uint8Array();

/** The message with these batches that is to follow where the log stands; `undefined` for none. */
export function draftOf(
  names: LogNames,
  group: readonly EncodedBatch[],
  standing: Standing,
  { time, data, pieces }: DraftContent,
): Draft | undefined {
  if (group.length === 0) return undefined;
  const idempotency = group[0]?.batch.options.idempotency;
  const events = place(group, standing.head, Math.max(time, standing.time));
  const size = group.reduce((sum, encoded) => sum + encoded.size, 0);
  const cursor = cursorOf(group) ?? standing.upstreamCursor;
  const record: LogRecord = {
    ...standingOf(standing),
    head: standing.head + events.length,
    bytes: standing.bytes + size,
    time: events.at(-1)?.time ?? standing.time,
    at: Math.max(time, standing.at),
    upstreamCursor: cursor === "" ? undefined : cursor,
    // A log that was made anew has yet to learn of the lease.
    fence: Math.max(standing.fence, ...group.map(({ batch }) => batch.options.fence ?? 0)),
    token: newEpoch(),
    count: events.length,
    size,
    pieces,
    fingerprint: idempotency?.fingerprint,
  };
  const subject = idempotency ? names.keyed(keyName(idempotency)) : names.plain;
  return { subject, record, data, events, appended: numbersOf(group, standing.head) };
}

/** A message without events that says where the log stands. */
export function controlDraft(names: LogNames, standing: Standing): Draft {
  const record = controlRecord(standing, newEpoch());
  return { subject: names.control, record, data: noData, events: [], appended: [], replaces: true };
}

/** The upstream cursor that the last batch names that names one. */
export function cursorOf(group: readonly EncodedBatch[]): string | undefined {
  return group.findLast(({ batch }) => batch.options.upstreamCursor !== undefined)?.batch.options.upstreamCursor;
}

function place(group: readonly EncodedBatch[], head: number, time: number): LogEvent[] {
  let seq = head;
  return group.flatMap(({ batch }) => batch.events.map((event) => toLogEvent(event, ++seq, time)));
}

function numbersOf(group: readonly EncodedBatch[], head: number): Appended[] {
  let last = head;
  return group.map(({ batch }) => {
    const first = last + 1;
    last += batch.events.length;
    return { first, last, replayed: false };
  });
}

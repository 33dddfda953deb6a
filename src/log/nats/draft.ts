import { toLogEvent } from "../engine/logged-events.ts";
import { newEpoch } from "../cursor.ts";
import { keyName } from "../idempotency.ts";
import type { Appended, LogEvent } from "../log.ts";
import type { EncodedBatch } from "./encoded-batch.ts";
import { controlRecord, type LogRecord, type Standing, standingOf } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** A message to be stored directly after the last known one. */
export interface Draft {
  readonly subject: string;
  readonly record: LogRecord;
  readonly data: Uint8Array;
  readonly events: readonly LogEvent[];
  /** The event numbers of each batch in it. */
  readonly appended: readonly Appended[];
  /** Whether it removes all earlier messages on its subject. */
  readonly replaces?: boolean;
}

/** The content of a message, in addition to its batches. */
export interface DraftContent {
  /** The current time by the node's clock, in ms since 1970. */
  readonly time: number;
  /** The body; empty if it is stored in pieces in other messages. */
  readonly data: Uint8Array;
  readonly pieces: readonly number[] | undefined;
}

const noData = new Uint8Array();

/** Makes a message with these batches that follows the log's current standing; `undefined` without batches. */
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
    // A recreated log does not know the lease yet.
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

/** Makes a message without events that contains the log's standing. */
export function controlDraft(names: LogNames, standing: Standing): Draft {
  const record = controlRecord(standing, newEpoch());
  return { subject: names.control, record, data: noData, events: [], appended: [], replaces: true };
}

/** The upstream cursor of the last batch that has one. */
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

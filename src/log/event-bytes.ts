import type { LogState, NewEvent } from "./log.ts";

/**
 * What an event counts for beside its texts, in bytes: its number and time, and its entries in the indexes of a store. An event without
 * data takes between 70 bytes (SQLite) and 210 (in memory, with a channel and an id).
 */
export const eventOverhead = 128;

/** The UTF-8 bytes of an event's data, type, channel and upstream id. It is the sum of these that stores keep. */
export function textBytes(event: NewEvent): number {
  const { channel, upstreamId } = event;
  let bytes = Buffer.byteLength(event.data) + Buffer.byteLength(event.event);
  if (channel !== undefined) bytes += Buffer.byteLength(channel);
  if (upstreamId !== undefined) bytes += Buffer.byteLength(upstreamId);
  return bytes;
}

/** What an event counts for in retention and page limits. */
export function eventBytes(event: NewEvent): number {
  return textBytes(event) + eventOverhead;
}

/** What the events from `earliest` to `head` count for, whose texts have `bytes`. */
export function heldBytes({ head, earliest, bytes }: HeldEvents): number {
  return bytes + eventOverhead * (head - earliest + 1);
}

/** The state of a log as stores keep it: with the bytes of the texts alone. */
export function toLogState(kept: Omit<LogState, "events">): LogState {
  const { head, earliest, upstreamCursor, lastTime } = kept;
  return { head, earliest, upstreamCursor, events: head - earliest + 1, bytes: heldBytes(kept), lastTime };
}

/** Events of a stream without a hole. */
interface HeldEvents {
  readonly head: number;
  readonly earliest: number;
  /** Of their texts. */
  readonly bytes: number;
}

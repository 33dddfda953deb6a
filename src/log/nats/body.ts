import type { LogEvent, NewEvent } from "../log.ts";
import type { LogRecord } from "./record.ts";

/** The stored form of an event. Only a published event has the 1 at the end. */
type EventTuple = readonly [
  event: string,
  data: string,
  channel: string | null,
  upstreamId: string | null,
  published?: 1,
];

/** Encodes events as text. The texts of several batches can be joined by commas. */
export function encodeEvents(events: readonly NewEvent[]): string {
  return events
    .map(({ event, data, channel = null, upstreamId = null, published }) => {
      const tuple: EventTuple = published ? [event, data, channel, upstreamId, 1] : [event, data, channel, upstreamId];
      return JSON.stringify(tuple);
    })
    .join(",");
}

/** Makes the body of a message from the texts of its batches. */
export function encodeBody(texts: readonly string[]): Uint8Array {
  return Buffer.from(`[${texts.filter((text) => text !== "").join(",")}]`);
}

/** Decodes the events of a message. */
export function decodeBody(body: Uint8Array, { head, count, time }: LogRecord): LogEvent[] {
  if (count === 0) return [];
  const tuples = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()) as EventTuple[];
  const first = head - count + 1;
  return tuples.map(([event, data, channel, upstreamId, published], index) => {
    return {
      seq: first + index,
      time,
      event,
      data,
      channel: channel ?? undefined,
      upstreamId: upstreamId ?? undefined,
      published: published ? true : undefined,
    };
  });
}

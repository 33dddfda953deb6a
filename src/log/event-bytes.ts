import type { NewEvent } from "./log.ts";

/** What an event counts for in retention and page limits: the UTF-8 bytes of its data, type, channel and upstream id. */
export function eventBytes(event: NewEvent): number {
  const { channel, upstreamId } = event;
  let bytes = Buffer.byteLength(event.data) + Buffer.byteLength(event.event);
  if (channel !== undefined) bytes += Buffer.byteLength(channel);
  if (upstreamId !== undefined) bytes += Buffer.byteLength(upstreamId);
  return bytes;
}

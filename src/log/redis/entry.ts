import type { StoredState } from "../engine/driver.ts";
import { originOf } from "../engine/logged-events.ts";
import { heldBytes } from "../event-bytes.ts";
import type { LogEvent } from "../log.ts";
import type { Reply } from "./driver.ts";

/** An entry of a Redis stream: its id, then names and values of its fields in turn. */
export type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

/** The entries in an answer to `XRANGE`, or of one stream in one to `XREAD`. */
export function toEntries(reply: Reply): readonly Entry[] {
  return (reply ?? []) as unknown as readonly Entry[];
}

/** The number of an entry: its id is `<seq>-0`. */
export function seqOf([id]: Entry): number {
  return Number.parseInt(id.toString("latin1", 0, id.length - 2), 10);
}

/** The event of an entry. */
export function toEvent(entry: Entry): LogEvent {
  const fields = readFields(entry);
  const { upstreamId, published } = originOf(fields.upstreamId, fields.publisherId);
  return {
    seq: seqOf(entry),
    time: Number(fields.time),
    event: fields.event ?? "",
    data: fields.data ?? "",
    channel: fields.channel,
    upstreamId,
    published,
  };
}

/** The upstream cursor that was stored with an entry: `""` if it was cleared, `undefined` if it was left. */
export function cursorOf([, fields]: Entry): string | undefined {
  const last = fields.length - 2;
  return fields[last]?.toString("latin1") === "cursor" ? fields[last + 1]!.toString() : undefined;
}

function readFields([, fields]: Entry): Readonly<Partial<Record<string, string>>> {
  const read: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) read[fields[at]!.toString("latin1")] = fields[at + 1]!.toString();
  return read;
}

/** What one command asks for, at most: the server is busy with it for about a millisecond. */
const readEvents = 512;
const readBytes = 1024 * 1024;

/** How many entries to ask for, so that they are about `bytes` where events are as large as those held on average. */
export function entriesFor(state: StoredState, bytes: number = readBytes): number {
  const average = (heldBytes(state) + 1) / (state.head - state.earliest + 2);
  return Math.max(1, Math.min(readEvents, Math.ceil(Math.min(bytes, readBytes) / Math.max(average, 1))));
}

import { formatCursor } from "../log/cursor.ts";
import type { LogEvent, NewEvent } from "../log/log.ts";
import { encodeEvent } from "../sse/index.ts";
import type { ControlEvents, ControlName } from "./control.ts";

/**
 * Whose ids events are sent with.
 *
 * - `gateway`: the log's cursors.
 * - `upstream`: the upstream's ids. Published events are sent without an id, because the upstream may use the same id
 *   for one of its own events.
 * - `publisher`: the publishers' ids, in a stream without an upstream.
 */
export type IdMode = "gateway" | "upstream" | "publisher";

/** Encodes events for a streaming representation. */
export interface Format {
  readonly name: "sse" | "ndjson";
  event(event: LogEvent): string;
  /** An event that is not part of the log, and has no id. */
  unlogged(event: string, data: string): string;
  control<N extends ControlName>(name: N, data: ControlEvents[N], id?: string): string;
  /** A heartbeat. With an id, it also advances the client's position. `event` is the configured event type. */
  heartbeat(id: string | undefined, event?: string): string;
  /** Says that the client has got all its events up to a cursor. With an id, it also advances the client's position. */
  checkpoint(cursor: string, id: string | undefined): string;
  /**
   * How a response ends with this event: properly, or cut; `undefined` if it goes on. Only for content that has an end:
   * a response that ends without such an event is cut, so that no client takes a part for the whole. Absent for streams.
   */
  endOf?(event: LogEvent): ResponseEnd | undefined;
}

/** How a response ends. */
export type ResponseEnd = "proper" | "cut";

/** The id that an event is sent with; `undefined` if it is sent without one. */
export function idOf(event: LogEvent, epoch: string, ids: IdMode): string | undefined {
  return ids === "gateway" ? formatCursor(epoch, event.seq) : ownIdOf(event, ids);
}

/** The own id of an event, if events are sent with such ids; otherwise `undefined`. */
export function ownIdOf(
  { upstreamId, published }: Pick<NewEvent, "upstreamId" | "published">,
  ids: IdMode,
): string | undefined {
  return ids === "publisher" || (ids === "upstream" && !published) ? upstreamId : undefined;
}

/** An event in the representations other than SSE: NDJSON lines, long-poll responses and iterators. */
export interface DeliveredEvent {
  /** The id to resume with. With upstream ids: `null` if the upstream sent none, `""` if it has reset the id. */
  readonly id: string | null;
  /** The type: `message` by default, `spillway.…` for a control event. */
  readonly event: string;
  /** The exact text. */
  readonly data: string;
  readonly channel: string | null;
  readonly upstreamId: string | null;
  /** When the event was appended, as an RFC 3339 time. */
  readonly time: string;
}

/** Converts an event of the log to a {@link DeliveredEvent}. */
export function toJson(event: LogEvent, epoch: string, ids: IdMode): DeliveredEvent {
  return {
    id: idOf(event, epoch, ids) ?? null,
    event: event.event,
    data: event.data,
    channel: event.channel ?? null,
    upstreamId: event.upstreamId || null,
    time: new Date(event.time).toISOString(),
  };
}

/** Creates the format of Server-Sent Events (WHATWG HTML §9.2). */
export function createSseFormat(epoch: string, ids: IdMode): Format {
  return {
    name: "sse",
    event: (event) => encodeEvent({ id: idOf(event, epoch, ids), event: event.event, data: event.data }),
    unlogged: (event, data) => encodeEvent({ event, data }),
    control: (name, data, id) =>
      encodeEvent({ id, event: name, data: JSON.stringify(data), retry: "retry" in data ? data.retry : undefined }),
    heartbeat(id, event) {
      if (event !== undefined) return encodeEvent({ id, event, data: now() });
      // The comment has no blank line, because some clients would dispatch an empty message.
      return ":\n" + (id === undefined ? "" : this.checkpoint(id, id));
    },
    // The id comes with data, because many clients ignore an id without data.
    checkpoint: (cursor, id) => encodeEvent({ id, event: heartbeatType, data: now(cursor) }),
  };
}

/** Creates the format of newline-delimited JSON: the same messages, one object per line. */
export function createNdjsonFormat(epoch: string, ids: IdMode): Format {
  const line = (value: object): string => JSON.stringify(value) + "\n";
  return {
    name: "ndjson",
    event: (event) => line(toJson(event, epoch, ids)),
    unlogged: (event, data) => line({ id: null, event, data }),
    control: (name, data, id) => line({ id: id ?? null, event: name, data: JSON.stringify(data) }),
    heartbeat: (id, event) =>
      line({ id: id ?? null, event: event ?? heartbeatType, data: now(event ? undefined : id) }),
    checkpoint: (cursor, id) => line({ id: id ?? null, event: heartbeatType, data: now(cursor) }),
  };
}

/** The type of a checkpoint, and of a heartbeat that is sent as an event, unless another one is configured. */
const heartbeatType = "spillway.heartbeat";

/** The data of a heartbeat: the current time, and of a checkpoint the cursor. */
function now(cursor?: string): string {
  return JSON.stringify({ time: new Date().toISOString(), cursor });
}

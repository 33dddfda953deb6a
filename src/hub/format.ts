import { formatCursor } from "../log/cursor.ts";
import type { LogEvent, NewEvent } from "../log/log.ts";
import { encodeEvent } from "../sse/index.ts";
import type { ControlEvents, ControlName } from "./control.ts";

/**
 * Whose ids go out.
 *
 * - `gateway`: the log's cursors.
 * - `upstream`: those that the stream's upstream gave. What was published goes out without an id, since the upstream may give the same
 *   one to an event of its own.
 * - `publisher`: those of a stream without upstream, which its publishers gave.
 */
export type IdMode = "gateway" | "upstream" | "publisher";

/** How a streaming representation writes things down. */
export interface Format {
  readonly name: "sse" | "ndjson";
  event(event: LogEvent): string;
  control<N extends ControlName>(name: N, data: ControlEvents[N], id?: string): string;
  /** A sign of life; with an id it also moves the client's position. `event` is the type that the configuration gives it. */
  heartbeat(id: string | undefined, event?: string): string;
}

/** The id that an event is sent with; `undefined` if it is sent without one. */
export function idOf(event: LogEvent, epoch: string, ids: IdMode): string | undefined {
  return ids === "gateway" ? formatCursor(epoch, event.seq) : ownIdOf(event, ids);
}

/** The id that an event was given, where such ids go out. */
export function ownIdOf({ upstreamId, published }: NewEvent, ids: IdMode): string | undefined {
  return ids === "publisher" || (ids === "upstream" && !published) ? upstreamId : undefined;
}

/** An event as clients see it that do not speak SSE: NDJSON lines, long-poll answers, iterators. */
export interface DeliveredEvent {
  /** What to resume with. Where the upstream's ids are passed on: `null` if it gave none, `""` if it has reset the id. */
  readonly id: string | null;
  /** The type: `message` by default, `spillway.…` for a control event. */
  readonly event: string;
  /** The exact text. */
  readonly data: string;
  readonly channel: string | null;
  readonly upstreamId: string | null;
  /** When it was logged, RFC 3339. */
  readonly time: string;
}

/** Makes a {@link DeliveredEvent} of an event in the log. */
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

/** Server-Sent Events (WHATWG HTML §9.2). */
export function createSseFormat(epoch: string, ids: IdMode): Format {
  return {
    name: "sse",
    event: (event) => encodeEvent({ id: idOf(event, epoch, ids), event: event.event, data: event.data }),
    control: (name, data, id) =>
      encodeEvent({ id, event: name, data: JSON.stringify(data), retry: "retry" in data ? data.retry : undefined }),
    heartbeat(id, event) {
      if (event !== undefined) return encodeEvent({ id, event, data: now() });
      // A comment needs no blank line: some clients dispatch an empty message for each, and many ignore an id without data.
      return ":\n" + (id === undefined ? "" : encodeEvent({ id, event: heartbeatType, data: now() }));
    },
  };
}

/** Newline-delimited JSON: the same messages, one object a line. */
export function createNdjsonFormat(epoch: string, ids: IdMode): Format {
  const line = (value: object): string => JSON.stringify(value) + "\n";
  return {
    name: "ndjson",
    event: (event) => line(toJson(event, epoch, ids)),
    control: (name, data, id) => line({ id: id ?? null, event: name, data: JSON.stringify(data) }),
    heartbeat: (id, event = heartbeatType) => line({ id: id ?? null, event, data: now() }),
  };
}

/** The type of a heartbeat that is an event, unless the configuration names another. */
const heartbeatType = "spillway.heartbeat";

/** A heartbeat's data. */
function now(): string {
  return JSON.stringify({ time: new Date().toISOString() });
}

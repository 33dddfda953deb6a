import { encodeEvent, encodeId, type SseEvent } from "../sse/index.ts";
import type { TransformedEvent, TransformEvent, TransformResult } from "./transform.ts";

/** What a transform gets of an event, and returns. */
export type EventFields = Pick<SseEvent, "event" | "data" | "id">;

/** An event as a transform gets it. */
export function toTransformEvent(event: EventFields): TransformEvent {
  return new ReceivedEvent(event);
}

/** `json` is in the prototype, so that `{ ...event }` has the fields of an event only. */
class ReceivedEvent implements TransformEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;

  constructor({ event, data, id }: EventFields) {
    this.event = event;
    this.data = data;
    this.id = id;
  }

  json(): unknown {
    try {
      return JSON.parse(this.data);
    } catch {
      return undefined;
    }
  }
}

/**
 * The events in the place of one event. The last has the event's id, unless it has another one, so that a client that
 * resumes with it misses nothing.
 * @throws {TypeError} for a result that is not an event.
 */
export function toEvents(result: TransformResult, original: EventFields): EventFields[] {
  const results = Array.isArray(result) ? (result as readonly TransformedEvent[]) : [result ?? []].flat();
  const last = results.length - 1;
  return results.map((each, i) => toEvent(each, original, i === last));
}

/**
 * Encodes the results for one event. The id of an event without a result is kept.
 * @throws {TypeError} for a result that is not an event.
 * @throws {SseError} `sse-field-invalid`
 */
export function encodeResult(result: TransformResult, original: SseEvent): string {
  const events = toEvents(result, original);
  return events.length === 0 ? encodeSkipped(original) : events.map(encodeEvent).join("");
}

/** What remains of an event that is not sent: its id. */
export function encodeSkipped({ id }: SseEvent): string {
  return id === undefined ? "" : encodeId(id);
}

function toEvent(result: TransformedEvent, original: EventFields, isLast: boolean): EventFields {
  if (typeof result !== "object" || result === null) throw new TypeError("the result is not an event");
  const { event = original.event, data = original.data, id } = result;
  const ownId = isLast ? (id ?? original.id) : id === original.id ? undefined : id;
  return { event: textOf(event), data: toText(data), id: ownId === undefined ? undefined : textOf(ownId) };
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("the event type or id is not a string");
  return value;
}

function toText(data: unknown): string {
  const text = typeof data === "string" ? data : (JSON.stringify(data) as string | undefined);
  if (text === undefined) throw new TypeError("the data is neither text nor JSON");
  return text;
}

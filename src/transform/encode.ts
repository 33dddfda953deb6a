import { encodeEvent, encodeId, type SseEvent } from "../sse/index.ts";
import type { TransformedEvent, TransformEvent, TransformResult } from "./transform.ts";

/** An event as a transform gets it. */
export function toTransformEvent(event: SseEvent): TransformEvent {
  return new ReceivedEvent(event);
}

/** `json` is in the prototype, so that `{ ...event }` has the fields of an event only. */
class ReceivedEvent implements TransformEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;

  constructor({ event, data, id }: SseEvent) {
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
 * Encodes the results for one event. The last result has the event's id, unless it has another one, so that a client
 * that resumes with it misses nothing; the id of an event without a result is kept too.
 * @throws {TypeError} for a result that is not an event.
 * @throws {SseError} `sse-field-invalid`
 */
export function encodeResult(result: TransformResult, original: SseEvent): string {
  const results = Array.isArray(result) ? (result as readonly TransformedEvent[]) : [result ?? []].flat();
  if (results.length === 0) return encodeSkipped(original);
  const last = results.length - 1;
  return results.map((each, i) => encodeOne(each, original, i === last)).join("");
}

/** What remains of an event that is not sent: its id. */
export function encodeSkipped({ id }: SseEvent): string {
  return id === undefined ? "" : encodeId(id);
}

function encodeOne(result: TransformedEvent, original: SseEvent, isLast: boolean): string {
  if (typeof result !== "object" || result === null) throw new TypeError("the result is not an event");
  const { event = original.event, data = original.data, id } = result;
  const ownId = isLast ? (id ?? original.id) : id === original.id ? undefined : id;
  return encodeEvent({ event: textOf(event), data: toText(data), id: ownId === undefined ? undefined : textOf(ownId) });
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

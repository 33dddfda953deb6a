import { encodeEvent, encodeId, type SseEvent } from "../sse/index.ts";
import type { TransformEvent, TransformResult } from "./transform.ts";

/** What a transform gets of an event, and returns. */
export interface EventFields extends Pick<SseEvent, "event" | "data" | "id"> {
  readonly channel?: string | undefined;
}

/** The most events that may replace one. */
const maxResults = 1_000;

/** The result of a transform is not what it must be. The message says what is wrong, without the event's data. */
export class InvalidResult extends TypeError {
  override readonly name = "InvalidResult";
}

/** An event as a transform gets it. */
export function toTransformEvent(event: EventFields): TransformEvent {
  return new ReceivedEvent(event);
}

/** `json` is in the prototype, so that `{ ...event }` has the fields of an event only. */
class ReceivedEvent implements TransformEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly channel: string | undefined;

  constructor({ event, data, id, channel }: EventFields) {
    this.event = event;
    this.data = data;
    this.id = id;
    this.channel = channel;
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
 * @throws {InvalidResult}
 */
export function toEvents(result: TransformResult, original: EventFields): EventFields[] {
  if (result === undefined || result === null) return [];
  const results: readonly unknown[] = Array.isArray(result) ? result : [result];
  if (results.length > maxResults) throw new InvalidResult(`more than ${maxResults} events replace one`);
  const last = results.length - 1;
  return Array.from(results, (each, i) => toEvent(each, original, i === last));
}

/**
 * Encodes the results for one event. The id of an event without a result is kept.
 * @throws {InvalidResult}
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

function toEvent(result: unknown, original: EventFields, isLast: boolean): EventFields {
  if (typeof result !== "object" || result === null || Array.isArray(result))
    throw new InvalidResult("the result is not an event");
  const { event, data, id, channel, ...others } = result as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  // Often a value that should be the data of an event.
  if (unknown !== undefined) throw new InvalidResult("the result has a field other than event, data, id and channel");
  const ownId = textOr(id ?? undefined, "id");
  return {
    event: textOr(event, "event") ?? original.event,
    data: data === undefined ? original.data : toText(data),
    id: isLast ? (ownId ?? original.id) : ownId === original.id ? undefined : ownId,
    channel: channel === null ? undefined : (textOr(channel, "channel") ?? original.channel),
  };
}

function textOr(value: unknown, field: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new InvalidResult(`${field} is not a string`);
}

function toText(data: unknown): string {
  if (typeof data === "string") return data;
  try {
    const text = JSON.stringify(data) as string | undefined;
    if (text !== undefined) return text;
  } catch {
    // Reported below: it is circular, nested too deeply, or has a BigInt.
  }
  throw new InvalidResult("data is neither text nor JSON");
}

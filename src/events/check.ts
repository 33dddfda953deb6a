import { matchesGlob } from "../util/glob.ts";
import type { DecodedEvent, EventText, StreamDefinition } from "./definition.ts";
import type { EventIssue, InvalidEvent } from "./event.ts";
import type { SchemaIssue, SchemaResult } from "./standard-schema.ts";

/** The result of a check. */
export type EventCheck =
  /** `value`: the data as the schema returns it. */
  { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly EventIssue[] };

/** More issues of an event are not reported. */
const maxIssues = 20;

/**
 * Checks an event against its stream's definition.
 * @returns a promise if the schema is asynchronous.
 */
export function checkEvent(definition: StreamDefinition, event: EventText): EventCheck | Promise<EventCheck> {
  const { events, channels } = definition;
  if (!Object.hasOwn(events, event.event)) {
    const message = `not a type of the stream "${definition.name}": ${Object.keys(events).join(", ")}`;
    return { issues: [{ field: "event", message }] };
  }
  const { channel } = event;
  if (typeof channel === "string" && channels.length > 0 && !channels.some((name) => matchesChannel(name, channel))) {
    const message = `not a channel of the stream "${definition.name}": ${channels.join(", ")}`;
    return { issues: [{ field: "channel", message }] };
  }
  try {
    const result = events[event.event]!["~standard"].validate(parseData(event.data));
    return result instanceof Promise ? result.then(toCheck).catch(toFailure) : toCheck(result);
  } catch (error) {
    return toFailure(error);
  }
}

/** See {@link StreamDefinition.decode}. */
export async function decodeEvent(definition: StreamDefinition, event: EventText): Promise<DecodedEvent> {
  const data = parseData(event.data);
  if (event.event.startsWith("spillway.")) return { event: event.event, data };
  const { issues, ...valid } = await checkEvent(definition, event);
  if (!issues) return { event: event.event, data: (valid as { readonly value: unknown }).value };
  return { event: "spillway.invalid", data: { event: event.event, data, issues } satisfies InvalidEvent };
}

/** The value of an event's data: of its JSON, or the text itself if it is not JSON. */
export function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The data of an event that has this value. A text is stored as it is, unless it would be read as another value. */
export function encodeData(value: unknown): unknown {
  return typeof value === "string" && parseData(value) !== value ? JSON.stringify(value) : value;
}

function matchesChannel(pattern: string, channel: string): boolean {
  return matchesGlob(pattern.replaceAll(/\{[^{}]*\}/g, "*"), channel);
}

function toCheck(result: SchemaResult<unknown>): EventCheck {
  if (!result.issues) return { value: result.value };
  return { issues: result.issues.slice(0, maxIssues).map(toIssue) };
}

function toFailure(error: unknown): EventCheck {
  return { issues: [{ field: "data", message: `the schema failed: ${String(error)}` }] };
}

function toIssue({ message, path = [] }: SchemaIssue): EventIssue {
  const keys = path.map((part) => (typeof part === "object" ? part.key : part));
  const field = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return { field: `data${field}`, message };
}

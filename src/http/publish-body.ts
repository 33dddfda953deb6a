import { SpillwayError } from "../errors.ts";
import type { IdMode } from "../hub/format.ts";
import { parseCursor } from "../log/cursor.ts";
import { reservedPrefix, type NewEvent } from "../log/log.ts";
import { createParser } from "../sse/index.ts";
import { mediaType } from "../util/media-type.ts";
import { isName, nameRule } from "../util/name.ts";
import { invalid, shown } from "./problem.ts";

/** Reads the events of a publish request's body. */
export type EventReader = (contentType: string | undefined, body: string, rules: PublishRules) => NewEvent[];

/** The rules for a publish request. */
export interface PublishRules {
  /** The largest number of events. Parsing stops beyond it. */
  readonly limit: number;
  /** Whose ids clients of the stream get. */
  readonly ids: IdMode;
}

/**
 * Reads the events of a publish request.
 * @throws {SpillwayError} `request-invalid` naming the field, `too-many-events`, `media-type-unsupported`.
 */
export const readEvents: EventReader = (contentType, body, rules) => {
  const events = parse(contentType, body, rules);
  if (events.length === 0) throw invalid("body", "at least one event", "none");
  return events;
};

/**
 * Reads one event from any JSON: an object with `data` is an event, whose channel may be named `topic`; any other value
 * is the data of an event.
 * @throws {SpillwayError} `request-invalid` naming the field, `media-type-unsupported`.
 */
export const readAnyJson: EventReader = (contentType, body, { ids }) => {
  if (mediaType(contentType) !== "application/json") throw unsupported(contentType, "application/json");
  const value = parseJson(body, "body");
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "data"))
    return [toEvent({ data: value }, "body", ids)];
  const { topic, ...event } = value as Record<string, unknown>;
  if (topic === undefined || topic === null) return [toEvent(event, "body", ids)];
  if ((event["channel"] ?? undefined) !== undefined)
    throw invalid("body.topic", "absent beside a channel", typeof topic);
  return [toEvent({ ...event, channel: optionalText(topic, "body.topic") }, "body", ids)];
};

/** The error of a body in another media type than the `expected` ones. */
function unsupported(contentType: string | undefined, expected: string): SpillwayError {
  const details = { field: "Content-Type", expected, got: shown(contentType ?? "none") };
  return new SpillwayError("media-type-unsupported", undefined, details);
}

function parse(contentType: string | undefined, body: string, rules: PublishRules): NewEvent[] {
  const { limit, ids } = rules;
  switch (mediaType(contentType)) {
    case "application/json": {
      const value = parseJson(body, "body");
      if (!Array.isArray(value)) return [toEvent(value, "body", ids)];
      assertCount(value.length, limit);
      return value.map((item, i) => toEvent(item, `[${i}]`, ids));
    }
    case "application/x-ndjson":
    case "application/ndjson":
      return parseLines(body, rules);
    case "text/event-stream":
      return parseEventStream(body, rules);
    default:
      throw unsupported(contentType, "application/json, application/x-ndjson or text/event-stream");
  }
}

function assertCount(count: number, limit: number): void {
  if (count <= limit) return;
  const details = { field: "body", expected: `at most ${limit} events`, got: `${count} or more` };
  throw new SpillwayError("too-many-events", `one request publishes at most ${limit} events (limits.events)`, details);
}

/**
 * Parses line by line, because an array of all lines, including empty ones, could take many times the memory of the
 * body.
 */
function parseLines(body: string, { limit, ids }: PublishRules): NewEvent[] {
  const events: NewEvent[] = [];
  for (let start = 0, number = 1; start < body.length; number++) {
    const end = body.indexOf("\n", start);
    const line = body.slice(start, end === -1 ? body.length : end);
    start += line.length + 1;
    if (line.trim() === "") continue;
    const field = `line ${number}`;
    assertCount(events.push(toEvent(parseJson(line, field), field, ids)), limit);
  }
  return events;
}

function parseJson(text: string, field: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(field, "JSON", text);
  }
}

/**
 * Checks one event: `{ data, event?, channel?, id? }`. Data that is not a string is published as its JSON text.
 * @throws {SpillwayError} `request-invalid` with the field, whose path begins with `at`.
 */
export function toEvent(value: unknown, at: string, ids: IdMode): NewEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(at, "an object", Array.isArray(value) ? "an array" : String(value));
  const { data, event, channel, id, ...others } = value as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined)
    throw invalid(`${at}.${unknown}`, "absent: the fields are data, event, channel and id", unknown);
  if (data === undefined) throw invalid(`${at}.data`, "present", "nothing");
  const candidate = {
    at,
    data: typeof data === "string" ? data : toJsonText(data, `${at}.data`),
    event: optionalText(event, `${at}.event`) ?? "message",
    channel: optionalText(channel, `${at}.channel`),
    id: optionalText(id, `${at}.id`),
  };
  return checked(candidate, ids);
}

/** Fails for values that JSON cannot represent: a function, a BigInt, a circular or too deeply nested value. */
function toJsonText(value: unknown, field: string): string {
  try {
    const json = JSON.stringify(value) as string | undefined;
    if (json !== undefined) return json;
  } catch {
    // Reported below.
  }
  throw invalid(field, "text, or a value that JSON can represent", typeof value);
}

function optionalText(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(field, "a string", typeof value);
  return value;
}

/** The number of bytes of an event stream that are parsed before the events are counted. */
const sliceSize = 16 * 1024;

/**
 * A published body is complete, so its last event counts even without a blank line, unlike in an interrupted stream.
 */
function parseEventStream(body: string, { limit, ids }: PublishRules): NewEvent[] {
  const events: NewEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) =>
      events.push(checked({ at: `[${events.length}]`, data, event, id, channel: undefined }, ids)),
  });
  const bytes = new TextEncoder().encode(body + "\n\n");
  for (let start = 0; start < bytes.length; start += sliceSize) {
    parser.push(bytes.subarray(start, start + sliceSize));
    assertCount(events.length, limit);
  }
  return events;
}

interface Candidate extends Omit<NewEvent, "upstreamId"> {
  readonly at: string;
  readonly id: string | undefined;
}

function checked({ at, data, event, channel, id }: Candidate, ids: IdMode): NewEvent {
  if (!isName(event)) throw invalid(`${at}.event`, nameRule, event);
  if (event.startsWith(reservedPrefix))
    throw invalid(`${at}.event`, `without the reserved prefix ${reservedPrefix}`, event);
  if (channel !== undefined && !isName(channel)) throw invalid(`${at}.channel`, nameRule, channel);
  if (id !== undefined && !/^[^\u0000\r\n]{1,512}$/.test(id)) {
    throw invalid(`${at}.id`, "1 to 512 characters without CR, LF and NUL", id);
  }
  // A client would resume with this id, and it would be taken for a cursor.
  if (id !== undefined && ids !== "gateway" && parseCursor(id))
    throw invalid(`${at}.id`, "an id that does not look like a cursor, <epoch>.<number>", id);
  return { event, data, channel, upstreamId: id, published: true };
}

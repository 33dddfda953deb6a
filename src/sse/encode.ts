import { SseError } from "./error.ts";
import { defaultEventType, type EventFields } from "./event.ts";

const lineEnd = /\r\n|\r|\n/;
const lineEnds = /\r\n|\r|\n/g;
const breaksLine = /[\r\n]/;
const breaksId = /[\r\n\0]/;

/**
 * One event as text, its closing blank line included.
 * @throws {SseError} `sse-field-invalid` for a field that would break the framing or that a reader would ignore.
 */
export function encodeEvent(fields: EventFields): string {
  const { id, event, data, retry } = fields;
  let text = id === undefined ? "" : idLine(id);
  if (event !== undefined && event !== "" && event !== defaultEventType) text += eventLine(event);
  if (retry !== undefined) text += retryLine(retry);
  return text + dataLines(data) + "\n";
}

/**
 * A block that moves the reader's last event id and nothing else: no event is dispatched for it.
 * @throws {SseError} `sse-field-invalid`
 */
export function encodeId(id: string): string {
  return idLine(id) + "\n";
}

/** A comment, one comment line for each line of the text, closed by a blank line. */
export function encodeComment(text: string): string {
  let lines = "";
  for (const line of text.split(lineEnd)) lines += line === "" ? ":\n" : `: ${line}\n`;
  return lines + "\n";
}

function idLine(id: string): string {
  if (breaksId.test(id)) throw new SseError("sse-field-invalid", "id", "an id must not hold CR, LF or NUL");
  return `id: ${id}\n`;
}

function eventLine(event: string): string {
  if (breaksLine.test(event)) throw new SseError("sse-field-invalid", "event", "an event type must not hold CR or LF");
  return `event: ${event}\n`;
}

function retryLine(retry: number): string {
  if (!Number.isSafeInteger(retry) || retry < 0) {
    throw new SseError("sse-field-invalid", "retry", "retry must be a whole number of milliseconds from 0");
  }
  return `retry: ${retry}\n`;
}

/** The space behind the colon is always written, so that a value's own leading space is never taken for it. */
function dataLines(data: string): string {
  const lines = breaksLine.test(data) ? data.replaceAll(lineEnds, "\ndata: ") : data;
  return `data: ${lines}\n`;
}

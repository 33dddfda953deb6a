import { SseError } from "./error.ts";
import { defaultEventType, type EventFields } from "./event.ts";

const lineEnd = /\r\n|\r|\n/;
const lineEnds = /\r\n|\r|\n/g;
const breaksLine = /[\r\n]/;
const breaksId = /[\r\n\0]/;

/**
 * Encodes an event as text, including its closing blank line.
 * @throws {SseError} `sse-field-invalid` for a field that would break the framing, or that a reader would ignore.
 */
export function encodeEvent(fields: EventFields): string {
  const { id, event, data, retry } = fields;
  let text = id === undefined ? "" : idLine(id);
  if (event !== undefined && event !== "" && event !== defaultEventType) text += eventLine(event);
  if (retry !== undefined) text += retryLine(retry);
  return text + dataLines(data) + "\n";
}

/**
 * Encodes a block that only sets the reader's last event id: no event is dispatched for it.
 * @throws {SseError} `sse-field-invalid`
 */
export function encodeId(id: string): string {
  return idLine(id) + "\n";
}

/** Encodes a comment, with one comment line for each line of the text, and a closing blank line. */
export function encodeComment(text: string): string {
  let lines = "";
  for (const line of text.split(lineEnd)) lines += line === "" ? ":\n" : `: ${line}\n`;
  return lines + "\n";
}

function idLine(id: string): string {
  if (breaksId.test(id)) throw new SseError("sse-field-invalid", "id", "an id must not contain CR, LF or NUL");
  return `id: ${id}\n`;
}

function eventLine(event: string): string {
  if (breaksLine.test(event))
    throw new SseError("sse-field-invalid", "event", "an event type must not contain CR or LF");
  return `event: ${event}\n`;
}

function retryLine(retry: number): string {
  if (!Number.isSafeInteger(retry) || retry < 0) {
    throw new SseError("sse-field-invalid", "retry", "retry must be a non-negative whole number of milliseconds");
  }
  return `retry: ${retry}\n`;
}

/** Always writes a space after the colon, because a reader would otherwise remove a value's own leading space. */
function dataLines(data: string): string {
  const lines = breaksLine.test(data) ? data.replaceAll(lineEnds, "\ndata: ") : data;
  return `data: ${lines}\n`;
}

/** Helpers of the parser's tests: read a stream whole, cut it, generate it. */
import * as fc from "fast-check";
import { createParser, type ParserOptions, type SseEvent } from "../../../src/sse/index.ts";

/** All that a parser reported, in order of its kind. */
export interface Reading {
  readonly events: SseEvent[];
  readonly ids: string[];
  readonly retries: number[];
  readonly comments: string[];
  readonly lastEventId: string;
}

type ReadOptions = Pick<ParserOptions, "maxEventBytes" | "lastEventId">;

export function read(chunks: readonly (Uint8Array | string)[], options: ReadOptions = {}): Reading {
  const reading = { events: [] as SseEvent[], ids: [] as string[], retries: [] as number[], comments: [] as string[] };
  const parser = createParser({
    ...options,
    onEvent: (event) => reading.events.push(event),
    onId: (id) => reading.ids.push(id),
    onRetry: (ms) => reading.retries.push(ms),
    onComment: (text) => reading.comments.push(text),
  });
  for (const chunk of chunks) parser.push(typeof chunk === "string" ? bytes(chunk) : chunk);
  return { ...reading, lastEventId: parser.lastEventId };
}

/** The data of each event of a text. */
export function dataOf(...chunks: readonly (Uint8Array | string)[]): string[] {
  return read(chunks).events.map((event) => event.data);
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Cuts into pieces of these sizes, taken in turn; sizes of 0 give empty chunks. Each piece is a copy of its own. */
export function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0, turn = 0; start < stream.length; turn++) {
    const end = start + sizes[turn % sizes.length]!;
    chunks.push(stream.slice(start, end));
    start = end;
  }
  return chunks;
}

/** Sizes for {@link cut}; never all 0. */
export const chunkSizes: fc.Arbitrary<number[]> = fc
  .array(fc.oneof(fc.constantFrom(0, 1, 1, 2, 3), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 12 })
  .filter((sizes) => sizes.some((size) => size > 0));

const lineEnd = fc.constantFrom("\n", "\n", "\r\n", "\r");
const fieldName = fc.constantFrom("data", "data", "data", "event", "id", "retry", "Data", "datax", "dat", "i", "", "x");
const separator = fc.constantFrom(": ", ":", ":  ", "", " ", "::", ":\t");
const piece = fc.oneof(
  fc.constantFrom("", "a", " ", "0", "42", "\0", ":", "é", "€", "😶‍🌫️", "\u2028", "\u0085", "\uFEFF", "\uFFFD"),
  fc.string({ maxLength: 6, unit: "grapheme" }),
);
const line = fc.tuple(fieldName, separator, fc.array(piece, { maxLength: 3 }), lineEnd);
const text = fc.oneof(
  { weight: 6, arbitrary: line.map(([name, colon, value, end]) => bytes(name + colon + value.join("") + end)) },
  { weight: 3, arbitrary: lineEnd.map(bytes) },
  { weight: 1, arbitrary: fc.constantFrom("\uFEFF", "data", "data:", ": ", "id", "\r\r\n", "\n\r").map(bytes) },
);
/** Not UTF-8: a lone continuation, a byte that never occurs, sequences that stop short, a surrogate, an overlong NUL. */
const garbage = fc
  .constantFrom(
    [0x80],
    [0xff],
    [0xc3],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
    [0xef, 0xbb],
  )
  .map((invalid) => Uint8Array.from(invalid));

/** Streams that look like SSE and go wrong in every way. */
export const streams: fc.Arbitrary<Uint8Array> = fc
  .array(fc.oneof({ weight: 12, arbitrary: text }, { weight: 1, arbitrary: garbage }), { maxLength: 30 })
  .map(concat);

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let length = 0;
  for (const part of parts) {
    whole.set(part, length);
    length += part.length;
  }
  return whole;
}

import { SseError } from "./error.ts";
import { defaultEventType, type SseEvent } from "./event.ts";
import { LineSplitter } from "./line-splitter.ts";

/** Callbacks and limits of a parser. The callbacks run within `push` and must not throw. */
export interface ParserOptions {
  /** Called for each event. An incomplete one at the end of the stream is dropped. */
  onEvent(event: SseEvent): void;
  /** Called for a block that sets the last event id but has no data, and thus is not an event. */
  onId?(id: string): void;
  /** Called for a `retry` line: the reconnection delay, in ms. */
  onRetry?(ms: number): void;
  /** Called for a comment line, with the text after its colon. */
  onComment?(text: string): void;
  /**
   * Maximum memory for one event, in bytes: its `data`, `event` and `id` lines and an unfinished line of any kind.
   * Beyond it `push` throws. Complete comments and unknown fields do not count. Default: 16 MiB.
   */
  readonly maxEventBytes?: number | undefined;
  /** Maximum length of an `event` or `id` line, in bytes; beyond it `push` throws too. Default: no separate limit. */
  readonly maxNameBytes?: number | undefined;
  /** The initial last event id, which is kept across reconnects. Default: `""`. */
  readonly lastEventId?: string | undefined;
}

/** Reads one event stream. */
export interface Parser {
  /**
   * Parses the next bytes, which may be split anywhere and are not kept. Calls the callbacks before it returns.
   * @throws {SseError} `sse-event-too-large`. Every later call throws it too, because the rest of the stream cannot be
   * parsed.
   */
  push(chunk: Uint8Array): void;
  /** The last event id of the complete blocks, to resume with. */
  readonly lastEventId: string;
}

const defaultMaxEventBytes = 16 * 1024 * 1024;

/** Makes a parser for one response. After a reconnect, make a new one with the `lastEventId` of the old one. */
export function createParser(options: ParserOptions): Parser {
  return new StreamParser(options);
}

const colon = 0x3a;
const space = 0x20;

const fieldNames = ["data", "event", "id", "retry"] as const;

/** The known fields; a reader ignores all others. Their names are case-sensitive. */
type FieldName = (typeof fieldNames)[number];

// `ignoreBOM` keeps U+FEFF in values: only the first three bytes of the stream can be a byte order mark.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

class StreamParser implements Parser {
  lastEventId: string;
  readonly #options: ParserOptions;
  readonly #maxEventBytes: number;
  readonly #lines: LineSplitter;
  #atStart = true;
  #failed = false;
  // The current block.
  #data: string[] = [];
  #event = "";
  #id: string | undefined;
  #heldBytes = 0;

  constructor(options: ParserOptions) {
    this.#options = options;
    this.#maxEventBytes = options.maxEventBytes ?? defaultMaxEventBytes;
    this.lastEventId = options.lastEventId ?? "";
    this.#lines = new LineSplitter((bytes, start, end) => this.#line(bytes, start, end));
  }

  push(chunk: Uint8Array): void {
    if (this.#failed) throw tooLarge(this.#maxEventBytes);
    this.#lines.push(chunk);
    this.#checkRoom(this.#lines.unfinishedBytes);
  }

  #checkRoom(bytes: number): void {
    if (this.#heldBytes + bytes <= this.#maxEventBytes) return;
    this.#failed = true;
    throw tooLarge(this.#maxEventBytes);
  }

  #line(bytes: Uint8Array, lineStart: number, end: number): void {
    // Also for a line that is not kept once it is complete: the result must not depend on how the chunks are split.
    this.#checkRoom(end - lineStart);
    const start = this.#atStart ? skipByteOrderMark(bytes, lineStart, end) : lineStart;
    this.#atStart = false;
    if (start === end) this.#endBlock();
    else if (bytes[start] === colon) this.#options.onComment?.(decode(bytes, start + 1, end));
    else this.#field(bytes, start, end);
  }

  #field(bytes: Uint8Array, start: number, end: number): void {
    const name = fieldAt(bytes, start, end);
    if (name === undefined) return;
    const value = decode(bytes, valueStart(bytes, start + name.length, end), end);
    if (name === "retry") return this.#setRetry(value);
    if (name === "data") this.#data.push(value);
    else this.#setName(name, value, end - start);
    this.#heldBytes += end - start;
  }

  #setName(name: string, value: string, bytes: number): void {
    const { maxNameBytes = Infinity } = this.#options;
    if (bytes > maxNameBytes) {
      this.#failed = true;
      throw new SseError("sse-event-too-large", "maxNameBytes", `an event's id or type exceeds ${maxNameBytes} bytes`);
    }
    if (name === "event") this.#event = value;
    else this.#setId(value);
  }

  #setId(id: string): void {
    if (!id.includes("\0")) this.#id = id;
  }

  #setRetry(value: string): void {
    const ms = /^[0-9]+$/.test(value) ? Number(value) : NaN;
    if (Number.isSafeInteger(ms)) this.#options.onRetry?.(ms);
  }

  #endBlock(): void {
    const data = this.#data;
    const event = this.#event || defaultEventType;
    const id = this.#id;
    if (id !== undefined) this.lastEventId = id;
    this.#event = "";
    this.#id = undefined;
    this.#heldBytes = 0;
    if (data.length > 0) {
      const text = data.length === 1 ? data[0]! : data.join("\n");
      this.#data = [];
      this.#options.onEvent({ event, data: text, lastEventId: this.lastEventId, id });
    } else if (id !== undefined) {
      this.#options.onId?.(id);
    }
  }
}

function skipByteOrderMark(bytes: Uint8Array, start: number, end: number): number {
  const marked = end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
  return marked ? start + 3 : start;
}

/** The field that the line from `start` to `end` sets; `undefined` for an unknown one. */
function fieldAt(bytes: Uint8Array, start: number, end: number): FieldName | undefined {
  for (const name of fieldNames) if (isNamed(bytes, start, end, name)) return name;
  return undefined;
}

/** The start of the value of a field whose name ends at `nameEnd`: after the colon and one space, if present. */
function valueStart(bytes: Uint8Array, nameEnd: number, end: number): number {
  const behindColon = Math.min(nameEnd + 1, end);
  return behindColon < end && bytes[behindColon] === space ? behindColon + 1 : behindColon;
}

function isNamed(bytes: Uint8Array, start: number, end: number, name: FieldName): boolean {
  const nameEnd = start + name.length;
  if (nameEnd > end || (nameEnd < end && bytes[nameEnd] !== colon)) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false;
  return true;
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

function tooLarge(maxEventBytes: number): SseError {
  return new SseError("sse-event-too-large", "maxEventBytes", `an event exceeds ${maxEventBytes} bytes`);
}

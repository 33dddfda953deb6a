import { Http1Error } from "./error.ts";
import { isFieldName, readFieldLines } from "./field-lines.ts";

/** The part of a body that was decoded. */
export interface DecodedBody {
  /** The first byte behind what was read. */
  readonly next: number;
  /** Where the decoded bytes are now: chunks that arrive together are moved together. */
  readonly from: number;
  readonly to: number;
}

/** The most characters of all extensions of one chunk; nobody reads them. */
const maxExtension = 256;

/** Hexadecimal digits of a size, below 2^52. */
const maxDigits = 13;

/** Trailer sections are limited as heads are. */
const maxTrailers = 16 * 1024;

const cr = 0x0d;
const lf = 0x0a;
const semicolon = 0x3b;
const equals = 0x3d;

/** What the next byte belongs to. */
type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

/** Takes the chunks of a body apart (RFC 9112 §7.1). Refuses what two readers could read differently. */
export class ChunkedDecoder {
  /** The trailer fields, names and values in turn. */
  trailers: readonly string[] = [];
  #state: State = "size";
  /** Of the current chunk: its size or what is left of it, and the digits or characters of its first line. */
  #size = 0;
  #digits = 0;
  #extension = 0;
  /** The part of an extension that was read last (RFC 9112 §7.1.1). */
  #part: "start" | "name" | "equals" | "value" = "start";
  #trailerText = "";

  /** Whether the last chunk and the trailer section have been read. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Reads from `at` to the end of the bytes or of the body. The decoded bytes are moved together within `bytes`.
   * @throws {Http1Error} `INVALID_RESPONSE`, `HEAD_TOO_LARGE`.
   */
  decode(bytes: Buffer, at: number): DecodedBody {
    let next = at;
    let from = 0;
    let to = 0;
    while (next < bytes.length && this.#state !== "done") {
      if (this.#state === "trailers") next = this.#readTrailers(bytes, next);
      else if (this.#state !== "data") this.#readByte(bytes[next++]!);
      else {
        const count = Math.min(this.#size, bytes.length - next);
        if (to === 0) from = to = next;
        else bytes.copyWithin(to, next, next + count);
        next += count;
        to += count;
        this.#size -= count;
        if (this.#size === 0) this.#state = "data-cr";
      }
    }
    return { next, from, to };
  }

  #readByte(byte: number): void {
    if (this.#state === "size") this.#readSize(byte);
    else if (this.#state === "extension") this.#readExtension(byte);
    else if (this.#state === "size-lf") {
      if (byte !== lf) throw invalid("a chunk size does not end with CRLF");
      this.#state = this.#size === 0 ? "trailers" : "data";
      this.#digits = this.#extension = 0;
    } else if (this.#state === "data-cr") {
      if (byte !== cr) throw invalid("a chunk is longer than its size");
      this.#state = "data-lf";
    } else {
      if (byte !== lf) throw invalid("a chunk does not end with CRLF");
      this.#state = "size";
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#digits > maxDigits) throw invalid("a chunk size is too large");
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) throw invalid("a chunk has no size");
    else if (byte === cr) this.#state = "size-lf";
    else if (byte === semicolon) {
      this.#state = "extension";
      this.#part = "start";
    } else throw invalid("a chunk size is malformed");
  }

  /** Names, with or without a value. Values in quotes are refused, since no server sends one. */
  #readExtension(byte: number): void {
    if (++this.#extension > maxExtension) throw invalid("a chunk extension is too long");
    if (isTokenCharacter(byte)) this.#part = this.#part === "value" || this.#part === "equals" ? "value" : "name";
    else if (byte === equals && this.#part === "name") this.#part = "equals";
    else if (this.#part !== "name" && this.#part !== "value") throw invalid("a chunk extension is malformed");
    else if (byte === cr) this.#state = "size-lf";
    else if (byte === semicolon) this.#part = "start";
    else throw invalid("a chunk extension is malformed");
  }

  #readTrailers(bytes: Buffer, at: number): number {
    const before = this.#trailerText.length;
    const text = this.#trailerText + bytes.toString("latin1", at, at + maxTrailers);
    const end = text.startsWith("\r\n") ? 0 : text.indexOf("\r\n\r\n");
    if (end === -1) {
      if (text.length > maxTrailers) throw new Http1Error("HEAD_TOO_LARGE", "the trailer section is too long");
      this.#trailerText = text;
      return at + text.length - before;
    }
    const fields = end === 0 ? [] : readFieldLines(text.slice(0, end).split("\r\n"));
    if (!fields) throw invalid("a trailer field is malformed");
    this.trailers = fields;
    this.#state = "done";
    return at + end + (end === 0 ? 2 : 4) - before;
  }
}

/** RFC 9110 §5.6.2. The name of a field is a token. */
function isTokenCharacter(byte: number): boolean {
  return isFieldName(String.fromCharCode(byte));
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function invalid(message: string): Http1Error {
  return new Http1Error("INVALID_RESPONSE", message);
}

import { ChunkedDecoder } from "./chunked-decoder.ts";
import { Http1Error } from "./error.ts";
import { readFieldLines } from "./field-lines.ts";

/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  /** Names and values in turn, as received. */
  readonly fields: readonly string[];
  /** Where the body ends: after so many bytes, with its last chunk, or with the connection (RFC 9112 §6.3). */
  readonly framing: number | "chunked" | "close";
  /** Whether the connection can carry another request after this response (RFC 9112 §9.3). */
  readonly persists: boolean;
}

/** What a reader finds. */
export interface ResponseListener {
  /** Called for informational responses (status below 200), and then for the response. */
  onHead(head: ResponseHead): void;
  /** Bytes of the body, without their framing. They are overwritten after the call. */
  onBody(bytes: Buffer): void;
}

/** The largest head of a response, in bytes: what Node's clients accept, too. */
const maxHead = 16 * 1024;

const headEnd = Buffer.from("\r\n\r\n");
const none = Buffer.alloc(0);

/**
 * Reads the responses of one connection, one after the other. What two servers could read differently is refused
 * (RFC 9112 §6.3, §11.2): the framing decides where the next response begins.
 */
export class ResponseReader {
  readonly #listener: ResponseListener;
  /** The part of a head that has come. */
  #partial = none;
  #isBodiless = false;
  /** Absent until the head was read. */
  #framing: ResponseHead["framing"] | undefined;
  /** What is left of a body with a length. */
  #left = 0;
  #chunks: ChunkedDecoder | undefined;

  constructor(listener: ResponseListener) {
    this.#listener = listener;
  }

  /** Expects the response to a request with this method. */
  begin(method: string): void {
    this.#framing = this.#chunks = undefined;
    this.#isBodiless = method === "HEAD";
  }

  /** Whether the response has been read to its end. */
  get isDone(): boolean {
    if (this.#framing === undefined || this.#framing === "close") return false;
    return this.#framing === "chunked" ? this.#chunks!.isDone : this.#left === 0;
  }

  /** Whether the end of the connection is the end of the response. */
  get endsWithConnection(): boolean {
    return this.#framing === "close";
  }

  /** The trailer fields of a response that is done. */
  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? [];
  }

  /**
   * Reads from `at` to the end of a head, or of what there is of the body. Returns the position behind it.
   * @throws {Http1Error} `INVALID_RESPONSE`, `HEAD_TOO_LARGE`.
   */
  read(bytes: Buffer, at: number): number {
    if (this.#framing === undefined) return this.#readHead(bytes, at);
    if (this.#framing === "chunked") {
      const { next, from, to } = this.#chunks!.decode(bytes, at);
      if (to > from) this.#listener.onBody(bytes.subarray(from, to));
      return next;
    }
    const end = this.#framing === "close" ? bytes.length : Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#listener.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return end;
  }

  #readHead(bytes: Buffer, at: number): number {
    const before = this.#partial.length;
    const all = before === 0 ? bytes : Buffer.concat([this.#partial, bytes.subarray(at)]);
    const start = before === 0 ? at : 0;
    const end = all.indexOf(headEnd, Math.max(start, before - 3));
    if ((end === -1 ? all.length : end) - start > maxHead)
      throw new Http1Error("HEAD_TOO_LARGE", "the head of the response is too large");
    if (end === -1) {
      this.#partial = Buffer.from(all.subarray(start));
      return bytes.length;
    }
    this.#partial = none;
    this.#take(readHead(all.toString("latin1", start, end)));
    return before === 0 ? end + headEnd.length : at + end + headEnd.length - before;
  }

  #take(head: ResponseHead): void {
    const { status, framing } = head;
    if (status >= 200 || status === 101) {
      this.#framing = this.#isBodiless || status === 204 || status === 304 ? 0 : framing;
      this.#left = typeof this.#framing === "number" ? this.#framing : 0;
      if (this.#framing === "chunked") this.#chunks = new ChunkedDecoder();
    }
    this.#listener.onHead(head);
  }
}

/** The reason may be empty, and some servers leave out the space before it, too. */
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

const contentLength = /^(?:0|[1-9]\d{0,14})$/;

/** @param text without the empty line at its end */
function readHead(text: string): ResponseHead {
  const lines = text.split("\r\n");
  const parts = statusLine.exec(lines[0]!);
  const fields = parts && readFieldLines(lines, 1);
  if (!fields) throw invalid("the head of the response is malformed");
  const isOld = parts[1] === "0";
  let framing: ResponseHead["framing"] = "close";
  let persists = !isOld;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    const value = fields[i + 1]!;
    if (name === "connection") persists = isPersistent(value, persists);
    else if (name === "content-length") {
      if (framing !== "close" || !contentLength.test(value)) throw invalid("the length of the response is not clear");
      framing = Number(value);
    } else if (name === "transfer-encoding") {
      if (framing !== "close" || isOld || value.toLowerCase() !== "chunked")
        throw invalid("the coding of the response is not clear");
      framing = "chunked";
    }
  }
  return { status: Number(parts[2]), fields, framing, persists };
}

function isPersistent(connection: string, byDefault: boolean): boolean {
  if (/(?:^|,)\s*close\s*(?:,|$)/i.test(connection)) return false;
  return byDefault || /(?:^|,)\s*keep-alive\s*(?:,|$)/i.test(connection);
}

function invalid(message: string): Http1Error {
  return new Http1Error("INVALID_RESPONSE", message);
}

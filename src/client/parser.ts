import { ClientError } from "./error.ts";

/** The blocks of a stream, as they become complete. */
export interface ParserListener {
  /** A block with data, or with an id only; then `data` is `undefined`. */
  onBlock(type: string, data: string | undefined, lastEventId: string): void;
  /** A `retry` line, in ms. */
  onRetry(ms: number): void;
}

/**
 * Parses an event stream (WHATWG HTML section 9.2). `spillway/sse` has a parser over bytes for servers; this one is a third of
 * its size, because it leaves decoding and splitting to the platform.
 */
export class TextParser {
  lastEventId: string;
  readonly #listener: ParserListener;
  readonly #maxLength: number;
  /** It drops a byte order mark. */
  readonly #decoder = new TextDecoder();
  #afterCr = false;
  #unfinished = "";
  #length = 0;
  #type = "";
  #data: string[] = [];
  #id: string | undefined;

  /** @param maxLength the maximum length of an event, in characters */
  constructor(lastEventId: string, maxLength: number, listener: ParserListener) {
    this.lastEventId = lastEventId;
    this.#maxLength = maxLength;
    this.#listener = listener;
  }

  /** @throws {ClientError} `sse-event-too-large` */
  push(chunk: Uint8Array): void {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (!text) return;
    if (this.#afterCr && text[0] === "\n") text = text.slice(1);
    this.#afterCr = text.endsWith("\r");
    const lines = text.split(/\r\n?|\n/);
    lines[0] = this.#unfinished + lines[0];
    this.#unfinished = lines.pop()!;
    for (const line of lines) this.#line(line);
    this.#limit(this.#unfinished);
  }

  #limit(line: string): void {
    if (this.#length + line.length > this.#maxLength) throw new ClientError("sse-event-too-large", { fatal: true });
  }

  #line(line: string): void {
    if (!line) return this.#endBlock();
    this.#limit(line);
    const [, name, value = ""] = /^([^:]*):? ?(.*)/s.exec(line)!;
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) return this.#listener.onRetry(+value);
    else return;
    this.#length += line.length;
  }

  #endBlock(): void {
    const data = this.#data.length > 0 ? this.#data.join("\n") : undefined;
    const changed = data ?? this.#id;
    this.lastEventId = this.#id ?? this.lastEventId;
    const type = this.#type || "message";
    this.#length = 0;
    this.#type = "";
    this.#data = [];
    this.#id = undefined;
    if (changed !== undefined) this.#listener.onBlock(type, data, this.lastEventId);
  }
}

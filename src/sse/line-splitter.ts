const lf = 0x0a;
const cr = 0x0d;

/** Takes the bytes from `start` to `end`; they are only valid during the call. */
export type LineListener = (bytes: Uint8Array, start: number, end: number) => void;

/**
 * Splits bytes into lines that end with CR, LF or CRLF, however they are divided into chunks. A line within one chunk
 * is passed on in place; only lines that span chunks are copied.
 */
export class LineSplitter {
  readonly #onLine: LineListener;
  readonly #unfinished = new ByteBuffer();
  /** The last chunk ended with a CR, which ended its line: an LF at the start of the next chunk belongs to it. */
  #afterCr = false;

  constructor(onLine: LineListener) {
    this.#onLine = onLine;
  }

  /** Bytes of the line whose end has not arrived yet. */
  get unfinishedBytes(): number {
    return this.#unfinished.length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    let start = this.#afterCr && chunk[0] === lf ? 1 : 0;
    // Each is searched again only after its last position was passed, so a chunk is scanned once for each.
    let nextLf = indexOf(chunk, lf, start);
    let nextCr = indexOf(chunk, cr, start);
    while (nextLf !== nextCr) {
      const end = Math.min(nextLf, nextCr);
      this.#endLine(chunk, start, end);
      start = end + 1;
      if (end === nextCr) {
        if (nextLf === start) start += 1;
        nextCr = indexOf(chunk, cr, start);
      }
      if (nextLf < start) nextLf = indexOf(chunk, lf, start);
    }
    if (start < chunk.length) this.#unfinished.append(chunk, start, chunk.length);
    this.#afterCr = chunk.at(-1) === cr;
  }

  #endLine(chunk: Uint8Array, start: number, end: number): void {
    const unfinished = this.#unfinished;
    if (unfinished.length === 0) return this.#onLine(chunk, start, end);
    unfinished.append(chunk, start, end);
    this.#onLine(unfinished.bytes, 0, unfinished.length);
    unfinished.clear();
  }
}

/**
 * Returns infinity if the byte is absent, so that both positions are equal if no line ends in the rest of the chunk.
 */
function indexOf(chunk: Uint8Array, byte: number, from: number): number {
  const index = chunk.indexOf(byte, from);
  return index === -1 ? Infinity : index;
}

/** Capacity kept for the next use, in bytes; larger buffers are released. */
const keptCapacity = 64 * 1024;

/** A growable byte buffer. Appending takes amortized constant time per byte. */
class ByteBuffer {
  /** `length` bytes of content, followed by unused capacity. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;

  append(source: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) this.#grow(length);
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    this.length = length;
  }

  clear(): void {
    this.length = 0;
    if (this.bytes.length > keptCapacity) this.bytes = new Uint8Array(0);
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2, 1024));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Capacity kept for the next use, in bytes; larger buffers are released. */
const keptCapacity = 64 * 1024;

/** A growable byte buffer. Appending takes amortized constant time per byte. */
export class ByteBuffer {
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

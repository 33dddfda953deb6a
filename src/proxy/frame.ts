import type { Framed } from "../hub/sink.ts";

/**
 * Bytes of a body, which are copied when a sink takes them, and framed as one chunk (RFC 9112 §7.1) only if it needs
 * that.
 */
class Chunk implements Framed {
  readonly #bytes: Uint8Array;
  #payload: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get payload(): Uint8Array {
    return (this.#payload ??= Buffer.from(this.#bytes));
  }

  get framed(): Uint8Array {
    const head = `${this.#bytes.length.toString(16)}\r\n`;
    const bytes = Buffer.allocUnsafe(head.length + this.#bytes.length + 2);
    bytes.write(head, 0, "latin1");
    bytes.set(this.#bytes, head.length);
    bytes[bytes.length - 2] = 0x0d;
    bytes[bytes.length - 1] = 0x0a;
    return bytes;
  }
}

/** Makes bytes of a body ready for a sink, which takes them at once: they may be overwritten after that. */
export function frame(payload: Uint8Array): Framed {
  return new Chunk(payload);
}

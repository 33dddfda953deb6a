import type { Framed } from "../hub/sink.ts";

/** Bytes of a body, which are framed as one chunk (RFC 9112 §7.1) only if the sink needs that. */
class Chunk implements Framed {
  readonly payload: Uint8Array;

  constructor(payload: Uint8Array) {
    this.payload = payload;
  }

  get framed(): Uint8Array {
    const head = `${this.payload.length.toString(16)}\r\n`;
    const bytes = Buffer.allocUnsafe(head.length + this.payload.length + 2);
    bytes.write(head, 0, "latin1");
    bytes.set(this.payload, head.length);
    bytes.write("\r\n", head.length + this.payload.length, "latin1");
    return bytes;
  }
}

/** Makes bytes of a body ready for a sink. */
export function frame(payload: Uint8Array): Framed {
  return new Chunk(payload);
}

import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Framed, Sink, SinkListener } from "../../hub/sink.ts";
import { onHalfClose, type Carrier } from "../connections.ts";
import { writeDirect, type DirectHandle } from "./tcp-handle.ts";
import type { HandleConnection } from "./handle-connections.ts";

/** Begins a response on a sink. */
export type OpenSink = (sink: Sink) => SinkListener;

/** Header fields that are sent after a body, by name. */
export type Trailers = Readonly<Record<string, string>> | undefined;

/** Ends a response, all bytes of which were handed over. */
export type EndSink = (trailers: Trailers) => void;

/** What a sink writes of a response beside its body. */
export interface Envelope {
  /** Sent together with the first pages. */
  readonly head: Buffer;
  /** What follows the body; absent for none. */
  readonly lastBytes?: ((trailers: Trailers) => Buffer) | undefined;
}

/** Pages that are sent together with the head may have so many bytes. */
const gathered = 16 * 1024;

/** The most bytes that are handed over at once: progress within a piece is not observable. */
const pieceSize = 128 * 1024;

/**
 * The sink of a connection, response or HTTP/2 stream of Node: writes to its TCP handle if it has one, or its stream.
 */
export class WritableSink implements Sink {
  full = false;
  readonly #end: EndSink;
  readonly #writable: Writable | HandleConnection;
  readonly #framed: boolean;
  /** The head, and the first pages, which are sent together; `undefined` once they were. */
  #first: Uint8Array[] | undefined;
  #firstLength = 0;
  readonly #lastBytes: Envelope["lastBytes"];
  #listener: SinkListener | undefined;
  /** Bytes that have not been handed over yet; while there are any, the sink is full. */
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  /** The handle for direct writes instead of `#writable`, and the bytes in flight on it. */
  #handle: DirectHandle | undefined;
  #underway = 0;
  #accepted = 0;
  #ending = false;
  #trailers: Trailers;

  constructor(writable: Writable | HandleConnection, framed: boolean, end: EndSink, envelope?: Envelope) {
    this.#writable = writable;
    this.#framed = framed;
    this.#end = end;
    this.#lastBytes = envelope?.lastBytes;
    if (envelope) {
      this.#first = [envelope.head];
      this.#firstLength = envelope.head.length;
    }
  }

  /** `carrier` closes when this response is over. On `input` the client may end its side before that. */
  start(carrier: Carrier, open: OpenSink, input?: Socket | HandleConnection): void {
    if (!this.#handle) this.#writable.on("drain", this.#onDrain);
    carrier.on("close", this.#onClose);
    const listener = open(this);
    this.#listener = listener;
    if (input) onHalfClose(input, carrier, () => listener.onHalfClose());
  }

  /** Writes to the handle from now on instead of Node's stream; `undefined` keeps the stream. */
  goDirect(handle: DirectHandle | undefined): void {
    this.#handle = handle;
  }

  get pending(): number {
    return this.#queued + (this.#handle ? this.#underway : this.#writable.writableLength);
  }

  get sent(): number {
    return this.#accepted - this.pending;
  }

  write(page: Framed): void {
    this.#put(this.#framed ? page.framed : page.payload);
  }

  /** Sends the head, and what was written so far. */
  flush(): void {
    const first = this.#first;
    if (!first) return;
    this.#first = undefined;
    this.#accept(first.length === 1 ? first[0]! : Buffer.concat(first, this.#firstLength));
  }

  end(trailers?: Trailers): void {
    const last = this.#lastBytes?.(trailers);
    if (last) this.#put(last);
    this.flush();
    this.#trailers = trailers;
    if (this.full) this.#ending = true;
    else this.#end(trailers);
  }

  destroy(): void {
    this.#writable.destroy();
  }

  #put(bytes: Uint8Array): void {
    if (!this.#first) return this.#accept(bytes);
    this.#first.push(bytes);
    this.#firstLength += bytes.length;
    if (this.#firstLength > gathered) this.flush();
  }

  #accept(bytes: Uint8Array): void {
    this.#accepted += bytes.length;
    if (bytes.length <= pieceSize && !this.full) return this.#hand(bytes);
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#writeOn();
  }

  /** Hands over pieces until the sink is full. */
  #writeOn(): void {
    while (this.#queued > 0 && !this.full) {
      const first = this.#queue[0]!;
      const piece = first.subarray(0, pieceSize);
      if (piece.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(pieceSize);
      this.#queued -= piece.length;
      this.#hand(piece);
    }
  }

  #hand(bytes: Uint8Array): void {
    if (!this.#handle) {
      this.full = !this.#writable.write(bytes);
      return;
    }
    const written = writeDirect(this.#handle, bytes, this.#onSent);
    if (written === "sent") return;
    this.full = true;
    if (written === "queued") this.#underway = bytes.length;
    else this.destroy();
  }

  readonly #onSent = (broken: boolean): void => {
    this.#underway = 0;
    if (broken) this.destroy();
    else this.#onDrain();
  };

  readonly #onDrain = (): void => {
    this.full = false;
    this.#writeOn();
    if (this.full) return;
    if (this.#ending) this.#end(this.#trailers);
    else this.#listener?.onDrain();
  };

  readonly #onClose = (): void => {
    if ("off" in this.#writable) this.#writable.off("drain", this.#onDrain);
    this.#listener?.onClose();
  };
}

import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Framed, Sink, SinkListener } from "../../hub/sink.ts";
import { onHalfClose } from "../connections.ts";
import { writeDirect, type DirectHandle } from "./tcp-handle.ts";
import type { HandleConnection } from "./handle-connections.ts";

/** Begins a response on a sink. */
export type OpenSink = (sink: Sink) => SinkListener;

/** Header fields that are sent after a body, by name. */
type Trailers = Readonly<Record<string, string>> | undefined;

/** Ends a response after all written bytes. */
export type EndSink = (trailers: Trailers) => void;

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
  /** Sent together with the first page, before it. */
  #head: Buffer | undefined;
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

  constructor(writable: Writable | HandleConnection, framed: boolean, end: EndSink, head?: Buffer) {
    this.#writable = writable;
    this.#framed = framed;
    this.#end = end;
    this.#head = head;
  }

  /** `carrier` closes when this response is over. On `input` the client may end its side before that. */
  start(
    carrier: Socket | ServerResponse | Http2ServerResponse | HandleConnection,
    open: OpenSink,
    input?: Socket | HandleConnection,
  ): void {
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
    let bytes = this.#framed ? page.framed : page.payload;
    if (this.#head) {
      bytes = Buffer.concat([this.#head, bytes]);
      this.#head = undefined;
    }
    this.#accepted += bytes.length;
    if (bytes.length <= pieceSize && !this.full) return this.#hand(bytes);
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#writeOn();
  }

  /** Sends the head without waiting for the first page. */
  flush(): void {
    if (!this.#head) return;
    const head = this.#head;
    this.#head = undefined;
    this.#accepted += head.length;
    this.#hand(head);
  }

  end(trailers?: Trailers): void {
    this.flush();
    this.#trailers = trailers;
    if (this.#queued > 0) this.#ending = true;
    else this.#end(trailers);
  }

  destroy(): void {
    this.#writable.destroy();
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
    if (this.#ending && this.#queued === 0) this.#end(this.#trailers);
    else if (!this.full) this.#listener?.onDrain();
  };

  readonly #onClose = (): void => {
    if ("off" in this.#writable) this.#writable.off("drain", this.#onDrain);
    this.#listener?.onClose();
  };
}

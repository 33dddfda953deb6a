import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Page } from "../hub/page.ts";
import type { Sink, SinkListener } from "../hub/sink.ts";
import type { BareConnection } from "./bare-connections.ts";
import { onHalfClose } from "./request-parts.ts";
import { directHandle, writeDirect, type DirectHandle } from "./direct-writer.ts";

type Open = (sink: Sink) => SinkListener;

/**
 * HTTP/1.1: pages go to the socket as they are, framed once for everyone, past `response.write`, which would frame them for each
 * client anew. The response only writes the headers and the end.
 */
export function openHttp1(response: ServerResponse, open: Open): void {
  const { socket } = response;
  const end = (): void => void response.end();
  // Behind another answer on a pipelined connection there is no socket yet: Node keeps and frames what is written.
  const input = response.req.socket;
  if (!socket) return new WritableSink(response, false, end).start(input, open, input);
  socket.setTimeout(0);
  // Headers and first page leave in one packet.
  socket.cork();
  response.flushHeaders();
  // An HTTP/1.0 client knows no chunks: its body ends with the connection. The socket may live on to carry another answer.
  const sink = new WritableSink(socket, response.chunkedEncoding, end);
  sink.start(response, open, input);
  socket.uncork();
  sink.goDirect(directHandle(socket));
}

/** HTTP/2 frames for itself: it takes the payload. */
export function openHttp2(response: Http2ServerResponse, open: Open): void {
  response.stream.setTimeout(0);
  new WritableSink(response.stream, false, () => response.end()).start(response, open);
}

/** HTTP/1.1 without Node's HTTP: the connection carries this one answer, whose head comes first. */
export function openPlain(connection: Socket | BareConnection, head: string, open: Open): void {
  const end = (): void => {
    connection.write(lastChunk);
    // Not left to the client, which need not close its side.
    connection.destroySoon();
  };
  const sink = new WritableSink(connection, true, end, Buffer.from(head, "latin1"));
  sink.goDirect("tcp" in connection ? connection.tcp : directHandle(connection));
  sink.start(connection, open, connection);
}

/** RFC 9112 §7.1. */
const lastChunk = Buffer.from("0\r\n\r\n");

/** What is handed over in one piece, one after the other: the progress within a piece is not to be seen. */
const pieceSize = 128 * 1024;

class WritableSink implements Sink {
  full = false;
  readonly #end: () => void;
  readonly #writable: Writable | BareConnection;
  readonly #framed: boolean;
  /** What goes before the first page, in one piece with it. */
  #head: Buffer | undefined;
  #listener: SinkListener | undefined;
  /** What has not been handed over yet; while there is something, the sink is full. */
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  /** The way past `#writable`, and what has not left yet on it. */
  #handle: DirectHandle | undefined;
  #underway = 0;
  #accepted = 0;
  #ending = false;

  constructor(writable: Writable | BareConnection, framed: boolean, end: () => void, head?: Buffer) {
    this.#writable = writable;
    this.#framed = framed;
    this.#end = end;
    this.#head = head;
  }

  /** `carrier` closes when this answer is over. On `input` the client may end its side before. */
  start(
    carrier: Socket | ServerResponse | Http2ServerResponse | BareConnection,
    open: Open,
    input?: Socket | BareConnection,
  ): void {
    if (!this.#handle) this.#writable.on("drain", this.#onDrain);
    carrier.on("close", this.#onClose);
    const listener = open(this);
    this.#listener = listener;
    if (input) onHalfClose(input, carrier, () => listener.onHalfClose());
  }

  /** From here on past Node's stream, if there is a way. */
  goDirect(handle: DirectHandle | undefined): void {
    this.#handle = handle;
  }

  get pending(): number {
    return this.#queued + (this.#handle ? this.#underway : this.#writable.writableLength);
  }

  get sent(): number {
    return this.#accepted - this.pending;
  }

  write(page: Page): void {
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

  end(): void {
    if (this.#queued > 0) this.#ending = true;
    else this.#end();
  }

  destroy(): void {
    this.#writable.destroy();
  }

  /** Hands over pieces as long as they are taken. */
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
    if (this.#ending && this.#queued === 0) this.#end();
    else if (!this.full) this.#listener?.onDrain();
  };

  readonly #onClose = (): void => {
    if ("off" in this.#writable) this.#writable.off("drain", this.#onDrain);
    this.#listener?.onClose();
  };
}

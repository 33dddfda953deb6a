import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Page } from "../hub/page.ts";
import type { Sink, SinkListener } from "../hub/sink.ts";

type Open = (sink: Sink) => SinkListener;

/**
 * HTTP/1.1: pages go to the socket as they are, framed once for everyone, past `response.write`, which would frame them for each
 * client anew. The response only writes the headers and the end.
 */
export function openHttp1(response: ServerResponse, open: Open): void {
  const { socket } = response;
  if (!socket) return;
  socket.setTimeout(0);
  // Headers and first page leave in one packet.
  socket.cork();
  response.flushHeaders();
  // An HTTP/1.0 client knows no chunks: its body ends with the connection.
  const sink = new WritableSink(socket, response.chunkedEncoding, () => response.end());
  // On the response: the socket may live on to carry another one.
  sink.start(response, open);
  socket.uncork();
}

/** HTTP/2 frames for itself: it takes the payload. */
export function openHttp2(response: Http2ServerResponse, open: Open): void {
  new WritableSink(response.stream, false, () => response.end()).start(response, open);
}

/** HTTP/1.1 without Node's HTTP: the socket carries this one answer, whose head is written already. */
export function openPlain(socket: Socket, head: string, open: Open): void {
  socket.cork();
  socket.write(head, "latin1");
  new WritableSink(socket, true, () => socket.end(lastChunk)).start(socket, open);
  socket.uncork();
}

/** RFC 9112 §7.1. */
const lastChunk = "0\r\n\r\n";

class WritableSink implements Sink {
  full = false;
  readonly end: () => void;
  readonly #writable: Writable;
  readonly #framed: boolean;
  #listener: SinkListener | undefined;

  constructor(writable: Writable, framed: boolean, end: () => void) {
    this.#writable = writable;
    this.#framed = framed;
    this.end = end;
  }

  /** `carrier` closes when this answer is over. */
  start(carrier: Socket | ServerResponse | Http2ServerResponse, open: Open): void {
    this.#writable.on("drain", this.#onDrain);
    carrier.on("close", this.#onClose);
    this.#listener = open(this);
  }

  get pending(): number {
    return this.#writable.writableLength;
  }

  write(page: Page): void {
    if (!this.#writable.write(this.#framed ? page.framed : page.payload)) this.full = true;
  }

  destroy(): void {
    this.#writable.destroy();
  }

  readonly #onDrain = (): void => {
    this.full = false;
    this.#listener?.onDrain();
  };

  readonly #onClose = (): void => {
    this.#writable.off("drain", this.#onDrain);
    this.#listener?.onClose();
  };
}

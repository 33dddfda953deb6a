import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
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
  new WritableSink(response, socket, response.chunkedEncoding).start(open);
  socket.uncork();
}

/** HTTP/2 frames for itself: it takes the payload. */
export function openHttp2(response: Http2ServerResponse, open: Open): void {
  new WritableSink(response, response.stream, false).start(open);
}

class WritableSink implements Sink {
  full = false;
  readonly #response: ServerResponse | Http2ServerResponse;
  readonly #writable: Writable;
  readonly #framed: boolean;
  #listener: SinkListener | undefined;

  constructor(response: ServerResponse | Http2ServerResponse, writable: Writable, framed: boolean) {
    this.#response = response;
    this.#writable = writable;
    this.#framed = framed;
  }

  start(open: Open): void {
    this.#writable.on("drain", this.#onDrain);
    // On the response: the socket may live on to carry another one.
    this.#response.on("close", this.#onClose);
    this.#listener = open(this);
  }

  get pending(): number {
    return this.#writable.writableLength;
  }

  write(page: Page): void {
    if (!this.#writable.write(this.#framed ? page.framed : page.payload)) this.full = true;
  }

  end(): void {
    this.#response.end();
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

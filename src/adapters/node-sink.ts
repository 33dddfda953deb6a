import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Page } from "../hub/page.ts";
import type { Sink, SinkListener } from "../hub/sink.ts";

type Open = (sink: Sink) => SinkListener;

/**
 * HTTP/1.1: pages go to the socket as they are, framed once for everyone, past `response.write`, which would frame them for each
 * client anew. The response only writes the headers and the end.
 */
export function createSocketSink(response: ServerResponse, open: Open): void {
  const socket = response.socket;
  if (!socket) return;
  // Headers and first page leave in one packet.
  socket.cork();
  response.flushHeaders();
  const sink = new SocketSink(response, socket);
  sink.listen(open(sink));
  socket.uncork();
}

class SocketSink implements Sink {
  full = false;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #chunked: boolean;
  #listener: SinkListener | undefined;

  constructor(response: ServerResponse, socket: Socket) {
    this.#response = response;
    this.#socket = socket;
    // An HTTP/1.0 client knows no chunks: its body ends with the connection.
    this.#chunked = response.chunkedEncoding;
    socket.setTimeout(0);
    socket.on("drain", this.#onDrain);
    response.on("close", this.#onClose);
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  listen(listener: SinkListener): void {
    this.#listener = listener;
  }

  write(page: Page): void {
    if (!this.#socket.write(this.#chunked ? page.framed : page.payload)) this.full = true;
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onDrain = (): void => {
    this.full = false;
    this.#listener?.onDrain();
  };

  readonly #onClose = (): void => {
    this.#socket.off("drain", this.#onDrain);
    this.#listener?.onClose();
  };
}

/** HTTP/2 frames for itself: it takes the payload. */
export function createHttp2Sink(response: Http2ServerResponse, open: Open): void {
  let listener: SinkListener | undefined;
  const { stream } = response;
  const sink = {
    full: false,
    get pending() {
      return stream.writableLength;
    },
    write(page: Page) {
      if (!stream.write(page.payload)) sink.full = true;
    },
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  };
  stream.on("drain", () => {
    sink.full = false;
    listener?.onDrain();
  });
  stream.once("close", () => listener?.onClose());
  listener = open(sink);
}

import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import { directHandle } from "../raw/tcp-handle.ts";
import { WritableSink, type EndSink, type OpenSink } from "../raw/writable-sink.ts";

/**
 * HTTP/1.1: writes pages, which are framed once for all clients, directly to the socket, because `response.write` would
 * frame them again for each client. The response only writes the headers and the end.
 */
export function openHttp1(response: ServerResponse, open: OpenSink): void {
  const { socket } = response;
  const end = ending(response);
  // A response that is queued behind another on a pipelined connection has no socket yet: Node buffers and frames it.
  const input = response.req.socket;
  if (!socket) return new WritableSink(response, false, end).start(input, open, input);
  socket.setTimeout(0);
  // Sends headers and first page in one packet.
  socket.cork();
  response.flushHeaders();
  // HTTP/1.0 has no chunked encoding: the body ends with the connection. Otherwise the socket may carry another
  // response.
  const sink = new WritableSink(socket, response.chunkedEncoding, end);
  sink.start(response, open, input);
  socket.uncork();
  sink.goDirect(directHandle(socket));
}

/** HTTP/2 does its own framing, so the sink writes the bare payload. */
export function openHttp2(response: Http2ServerResponse, open: OpenSink): void {
  response.stream.setTimeout(0);
  new Http2Sink(response).start(response, open);
}

function ending(response: ServerResponse | Http2ServerResponse): EndSink {
  return (trailers) => {
    if (trailers) response.addTrailers({ ...trailers });
    response.end();
  };
}

class Http2Sink extends WritableSink {
  readonly #stream: Http2ServerResponse["stream"];

  constructor(response: Http2ServerResponse) {
    super(response.stream, false, ending(response));
    this.#stream = response.stream;
  }

  /** Resets the stream with an error. `destroy()` would use `NO_ERROR`, which a complete response may also end with (RFC 9113 §8.1). */
  override destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

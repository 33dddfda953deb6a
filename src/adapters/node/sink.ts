import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { directHandle } from "../raw/direct-writer.ts";
import { WritableSink, type OpenSink } from "../raw/writable-sink.ts";

/**
 * HTTP/1.1: pages go to the socket as they are, framed once for everyone, past `response.write`, which would frame them for each
 * client anew. The response only writes the headers and the end.
 */
export function openHttp1(response: ServerResponse, open: OpenSink): void {
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
export function openHttp2(response: Http2ServerResponse, open: OpenSink): void {
  response.stream.setTimeout(0);
  new WritableSink(response.stream, false, () => response.end()).start(response, open);
}

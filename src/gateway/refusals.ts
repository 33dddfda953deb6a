/** Error responses to requests that do not reach the gateway's handler, or that time out. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Connections } from "../adapters/connections.ts";
import { breakOff } from "../adapters/node/body.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import { problem } from "../http/problem.ts";
import type { Limits } from "../limits/options.ts";
import { isToken } from "../util/http-field.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** An answer as `application/problem+json`. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly body: string;
}

/** How long a refused client has to read the response before its connection is cut, in ms. */
export const refusalTime = 2000;

export const uriTooLong = (limit: number): Refusal => {
  const details = { field: "url", expected: `at most ${limit} bytes` };
  const { status, body = "" } = problem(new SpillwayError("uri-too-long", undefined, details));
  return { status, code: "uri-too-long", title: "URI Too Long", body };
};

export const headersTooLarge: Refusal = invalid(431, "Request Header Fields Too Large", "headers");

export const tooSlow: Refusal = invalid(408, "Request Timeout", "request");

export const malformed: Refusal = invalid(400, "Bad Request", "request");

export const hostInvalid: Refusal = invalid(400, "Bad Request", "Host");

export const expectationFailed: Refusal = invalid(417, "Expectation Failed", "Expect");

/** For a method that Node's parser does not know, or that no resource supports (RFC 9110 §9.1). */
const methodUnknown = invalid(501, "Not Implemented", "method");

function invalid(status: number, title: string, field: string): Refusal {
  return {
    status,
    code: "request-invalid",
    title,
    body: JSON.stringify({ type: "about:blank", title, status, code: "request-invalid", field }),
  };
}

interface ParserError extends NodeJS.ErrnoException {
  /** The packet at which Node's parser failed, and how many of its bytes were parsed. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** Called for each refusal with its error code. */
export type OnRefused = (code: ErrorCode) => void;

/** The last request of a connection, and its response. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface Refusals {
  readonly connections: Connections;
  limits(): Limits;
  readonly onRefused: OnRefused;
}

/**
 * Refuses input that Node's parser cannot parse: once for each connection, after the pending responses. If the input is
 * part of a request body, that request is aborted. The connection ends with the refusal.
 */
export function refuseMalformed(server: Server, { connections, limits, onRefused }: Refusals): void {
  const exchanges = new WeakMap<Socket, Exchange>();
  const refused = new WeakSet<Socket>();
  server.on("request", (request, response) => exchanges.set(request.socket, { request, response }));
  server.on("clientError", (error: ParserError, socket: Socket) => refuse(refusalOf(error, limits().url), socket));
  // Node does not handle the connection any further.
  server.on("connect", (_, socket) => refuse(methodUnknown, socket.on("error", () => {}).resume() as Socket));

  function refuse(refusal: Refusal, socket: Socket): void {
    // Node emits an error for every further packet, too.
    if (refused.has(socket)) return;
    refused.add(socket);
    if (socket.destroyed || !connections.has(socket)) return void socket.destroy();
    // A client that has sent nothing gets no response: it may have connected in advance.
    if (socket.bytesRead === 0) return void socket.destroy();
    const last = exchanges.get(socket);
    if (last && !last.request.complete) return endWith(last);
    if (!last) return refuseNow(refusal, socket);
    const refuseAfterLast = (): void => {
      if (isLast(last.response)) socket.end();
      else refuseNow(refusal, socket);
    };
    if (!connections.isBusy(socket)) return refuseAfterLast();
    // Runs before Node's own listener, which ends a connection whose client has ended its side.
    last.response.prependOnceListener("finish", refuseAfterLast);
  }

  function refuseNow({ status, code, title, body }: Refusal, socket: Socket): void {
    // The last response is still being written.
    if (!socket.writable) return;
    onRefused(code);
    // A half-open connection would otherwise stay until the client closes it.
    setTimeout(() => socket.destroy(), refusalTime).unref();
    socket.end(
      `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

/**
 * Refuses a request unless its response has begun. Ends the connection, because the rest of the request may still
 * arrive.
 */
export function sendRefusal({ status, body }: Refusal, request: Request, response: Response): void {
  const carrier = "stream" in request ? request.stream : request.socket;
  const cutLater = (): void => void setTimeout(() => carrier.destroy(), refusalTime).unref();
  if (response.headersSent) return cutLater();
  response.statusCode = status;
  response.setHeader("content-type", "application/problem+json");
  response.setHeader("content-length", Buffer.byteLength(body));
  const content = request.method === "HEAD" ? "" : body;
  if ("stream" in response) {
    response.end(content);
    return cutLater();
  }
  response.setHeader("connection", "close");
  // The responses to earlier requests are sent first, however long they take.
  response.once("finish", cutLater).end(content);
}

/** Aborts a request. Its response is the connection's last. */
function endWith({ request, response }: Exchange): void {
  breakOff(request);
  const end = (): void => void request.socket.end();
  if (!response.headersSent) response.shouldKeepAlive = false;
  else if (response.writableFinished) end();
  else response.once("finish", end);
}

/**
 * Whether this is the connection's last response (RFC 9112 §9.6). HTTP/1.0 has no chunks: a body without a length ends
 * with the connection.
 */
function isLast(response: ServerResponse): boolean {
  const { req, shouldKeepAlive } = response;
  const endsWithConnection = req.httpVersion !== "1.1" && !response.hasHeader("content-length");
  return !shouldKeepAlive || response.getHeader("connection") === "close" || endsWithConnection;
}

function refusalOf({ code, rawPacket, bytesParsed = 0 }: ParserError, url: number): Refusal {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return tooSlow;
  if (code === "HPE_INVALID_METHOD" && isTokenByte(rawPacket?.[bytesParsed])) return methodUnknown;
  if (code !== "HPE_HEADER_OVERFLOW") return malformed;
  const line = rawPacket?.toString("latin1", 0, url + 20) ?? "";
  return /^[A-Z]+ \S+$/.test(line) ? uriTooLong(url) : headersTooLarge;
}

/** Whether a method may contain this byte (RFC 9110 §5.6.2). The result does not depend on the packet boundaries. */
function isTokenByte(byte: number | undefined): boolean {
  return byte !== undefined && isToken(String.fromCharCode(byte));
}

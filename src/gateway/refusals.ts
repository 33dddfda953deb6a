/** Answers to what never becomes a request of the gateway, or is one no more. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { Connections } from "../adapters/connections.ts";
import { breakOff } from "../adapters/node/handler.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import { problem } from "../http/problem.ts";
import type { Limits } from "../limits/options.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** An answer as `application/problem+json`. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly body: string;
}

/** How long a client has to read why it was refused, in ms. */
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

/** For a method that Node's parser does not know, or that no resource here could take (RFC 9110 §9.1). */
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
  /** The bytes at which Node's parser gave up, and how many of them it had taken. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** Told of each refusal, by its code. */
export type OnRefused = (code: ErrorCode) => void;

/** The last request of a connection, and its answer. */
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
 * Refuses what Node's parser cannot make a request of: once for each connection, behind the answers that are under way. Where it is the
 * body of a request, that one breaks off. The connection ends with it.
 */
export function refuseMalformed(server: Server, { connections, limits, onRefused }: Refusals): void {
  const exchanges = new WeakMap<Socket, Exchange>();
  const refused = new WeakSet<Socket>();
  server.on("request", (request, response) => exchanges.set(request.socket, { request, response }));
  server.on("clientError", (error: ParserError, socket: Socket) => refuse(refusalOf(error, limits().url), socket));
  // Node leaves the connection alone from here on.
  server.on("connect", (_, socket) => refuse(methodUnknown, socket.on("error", () => {}).resume() as Socket));

  function refuse(refusal: Refusal, socket: Socket): void {
    // Node tells of every packet that follows, too.
    if (refused.has(socket)) return;
    refused.add(socket);
    if (socket.destroyed || !connections.has(socket)) return void socket.destroy();
    // A client that has asked for nothing gets no answer: it may have connected in advance.
    if (socket.bytesRead === 0) return void socket.destroy();
    const last = exchanges.get(socket);
    if (last && !last.request.complete) return endWith(last);
    if (!last) return refuseNow(refusal, socket);
    const refuseBehind = (): void => {
      if (isLast(last.response)) socket.end();
      else refuseNow(refusal, socket);
    };
    if (!connections.isBusy(socket)) return refuseBehind();
    // Before Node's own listener, which ends a connection whose client has ended its side.
    last.response.prependOnceListener("finish", refuseBehind);
  }

  function refuseNow({ status, code, title, body }: Refusal, socket: Socket): void {
    // Its last answer is on its way.
    if (!socket.writable) return;
    onRefused(code);
    // Half open as it is, it would else stay for as long as its client likes.
    setTimeout(() => socket.destroy(), refusalTime).unref();
    socket.end(
      `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

/** Answers a request if it has no answer yet. Its connection ends with it, for the rest of the request may still be on its way. */
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
  // Answers to the requests before it go first, however long they take.
  response.once("finish", cutLater).end(content);
}

/** The request has one answer, which is the connection's last. */
function endWith({ request, response }: Exchange): void {
  breakOff(request);
  const end = (): void => void request.socket.end();
  if (!response.headersSent) response.shouldKeepAlive = false;
  else if (response.writableFinished) end();
  else response.once("finish", end);
}

/** Whether no request is answered behind this one (RFC 9112 §9.6). HTTP/1.0 has no chunks: a body without a length ends with its connection. */
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

/** Whether a method may have this byte (RFC 9110 §5.6.2). It does not depend on how the bytes came in packets. */
function isTokenByte(byte: number | undefined): boolean {
  return byte !== undefined && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(String.fromCharCode(byte));
}

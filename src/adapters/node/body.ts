import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { HttpRequest } from "../../http/message.ts";
import {
  assertSize,
  incompleteBody,
  readArriving,
  readConsumed,
  toForwarded,
  type ConsumedBody,
} from "../request-body.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** Whether a request announces a body, even one that turns out to be empty. */
export function hasBody(request: Request): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
}

/** Requests whose clients wait for `100 Continue` before they send the body. */
const deferred = new WeakSet<Request>();

/**
 * Delays `100 Continue` (RFC 9110 §10.1.1) until the body is read. The body of a refused request is never read, and
 * Node closes the connection: the gateway cannot know whether the client sends the body anyway.
 */
export function deferContinue(request: Request): void {
  deferred.add(request);
}

/** Requests whose body is malformed after the part that was received. */
const broken = new WeakSet<Request>();

/** Makes reading the body fail. Handlers that do not read it can still answer the request normally. */
export function breakOff(request: IncomingMessage): void {
  broken.add(request);
  // Otherwise Node would detach the socket.
  request.complete = true;
  request.push(null);
}

/** Reads the whole body; see `HttpRequest.body`. */
export async function readBody(
  request: Request,
  response: Response,
  ...[limit, take, form]: Parameters<HttpRequest["body"]>
): Promise<Buffer> {
  assertSize(Number(request.headers["content-length"] ?? 0), limit);
  const consumed = consumedBody(request);
  return consumed
    ? readConsumed(consumed, limit, take, form)
    : readArriving(readChunks(request, response), limit, take);
}

/** What the usual body parsers have left; `undefined` if the body is still to be read. */
function consumedBody(request: Request): ConsumedBody | undefined {
  if (!(request.readableDidRead || request.readableEnded) || !hasBody(request)) return undefined;
  const { rawBody: raw, body: parsed } = request as { readonly rawBody?: unknown; readonly body?: unknown };
  const { "content-type": contentType, "content-length": length } = request.headers;
  return { raw, parsed, contentType, length };
}

/**
 * The body of a request, to be forwarded.
 * @throws {SpillwayError} `body-consumed`
 */
export function forwardedBody(request: Request, response: Response): AsyncIterable<Uint8Array> {
  const consumed = consumedBody(request);
  return consumed ? toForwarded(consumed) : readChunks(request, response);
}

/**
 * The body of a request as it arrives.
 * @throws {SpillwayError} `request-invalid` if it is malformed or incomplete.
 */
async function* readChunks(request: Request, response: Response): AsyncGenerator<Buffer, void, undefined> {
  if (deferred.delete(request)) response.writeContinue();
  try {
    // Leaving the loop early must not destroy the request: its socket still has to carry the answer.
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw incompleteBody(cause);
  }
  if (broken.has(request)) throw incompleteBody();
}

/** Whether the client is sending the body: reading it has begun and not ended. */
export function isArriving(request: Request): boolean {
  return request.readableDidRead && !request.readableEnded && !deferred.has(request);
}

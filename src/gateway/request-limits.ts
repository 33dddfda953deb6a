import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { NodeHandler } from "../adapters/node.ts";
import type { Limits } from "../limits/options.ts";
import { headersTooLarge, refusalTime, tooSlow, uriTooLong, type OnRefused, type Refusal } from "./refusals.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** What Node's parsers may take for a head before they give up: this is then for {@link withinLimits} to look at. */
export function headLimit({ url, headers }: Limits): number {
  return url + headers;
}

/** Puts the limits of a request before a handler, alike for HTTP/1.1 and HTTP/2. `current` is asked at each request. */
export function withinLimits(handler: NodeHandler, current: () => Limits, onRefused: OnRefused): NodeHandler {
  const refuse = (refusal: Refusal, request: Request, response: Response): void => {
    onRefused(refusal.code);
    answer(refusal, request, response);
  };
  return (request, response) => {
    const limits = current();
    const refusal = tooLarge(request, limits);
    if (refusal) return refuse(refusal, request, response);
    if (hasBody(request)) expectBody(request, limits.timeouts.body, () => refuse(tooSlow, request, response));
    handler(request, response);
  };
}

function tooLarge({ url = "", rawHeaders }: Request, limits: Limits): Refusal | undefined {
  if (url.length > limits.url) return uriTooLong(limits.url);
  let length = 0;
  for (const text of rawHeaders) length += text.length;
  return length > limits.headers ? headersTooLarge : undefined;
}

function hasBody(request: Request): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
}

/** Node's own `requestTimeout` knows no HTTP/2, and would have to be longer than the time for a head. */
function expectBody(request: Request, time: number, onLate: () => void): void {
  const timer = setTimeout(() => {
    if (!request.complete) onLate();
  }, time);
  const stop = (): void => clearTimeout(timer);
  request.once("end", stop).once("close", stop);
}

/** Answers if there is no answer yet. The connection ends with it, for the rest of the request may still be on its way. */
function answer({ status, body }: Refusal, request: Request, response: Response): void {
  if (!response.headersSent) {
    response.statusCode = status;
    response.setHeader("content-type", "application/problem+json");
    response.setHeader("content-length", Buffer.byteLength(body));
    if (!("stream" in response)) response.setHeader("connection", "close");
    (response as ServerResponse).end(request.method === "HEAD" ? "" : body);
  }
  const carrier = "stream" in request ? request.stream : request.socket;
  setTimeout(() => carrier.destroy(), refusalTime).unref();
}

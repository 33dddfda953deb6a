import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { isHost } from "../adapters/request-parts.ts";
import type { NodeHandler } from "../adapters/node/handler.ts";
import type { Limits } from "../limits/options.ts";
import {
  expectationFailed,
  headersTooLarge,
  hostInvalid,
  sendRefusal,
  tooSlow,
  uriTooLong,
  type OnRefused,
  type Refusal,
} from "./refusals.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** What Node's parsers may take for a head before they give up: this is then for {@link withinLimits} to look at. */
export function headLimit({ url, headers }: Limits): number {
  return url + headers;
}

/** Puts the limits of a request, and the rules that Node leaves to others, before a handler, alike for HTTP/1.1 and HTTP/2. `current` is asked at each request. */
export function withinLimits(handler: NodeHandler, current: () => Limits, onRefused: OnRefused): NodeHandler {
  const refuse = (refusal: Refusal, request: Request, response: Response): void => {
    onRefused(refusal.code);
    sendRefusal(refusal, request, response);
  };
  /** Connections that have had their last request. */
  const over = new WeakSet<object>();
  return (request, response) => {
    if (over.has(request.socket)) return;
    // Node drops what follows in the same packet, for nobody here changes the protocol. So it does not answer what follows later, either.
    if (request.headers.upgrade !== undefined && "shouldKeepAlive" in response) {
      over.add(request.socket);
      response.shouldKeepAlive = false;
    }
    const limits = current();
    const refusal = faultOf(request, limits);
    if (refusal) return refuse(refusal, request, response);
    if (hasBody(request)) expectBody(request, limits.timeouts.body, () => refuse(tooSlow, request, response));
    handler(request, response);
  };
}

function faultOf(request: Request, limits: Limits): Refusal | undefined {
  const { url = "", rawHeaders } = request;
  if (url.length > limits.url) return uriTooLong(limits.url);
  let length = 0;
  for (const text of rawHeaders) length += text.length;
  if (length > limits.headers) return headersTooLarge;
  if (!hasValidHost(request)) return hostInvalid;
  return expectsMore(request) ? expectationFailed : undefined;
}

/** RFC 9112 §3.2: exactly one in HTTP/1.1. HTTP/2 has another name for it. */
function hasValidHost({ headers, httpVersion, rawHeaders }: Request): boolean {
  if (headers.host === undefined) return httpVersion !== "1.1";
  if (!isHost(headers.host)) return false;
  // Node drops all but the first.
  return rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === "host").length === 1;
}

/** RFC 9110 §10.1.1 defines one expectation; HTTP/1.0 does not support any. */
function expectsMore({ headers: { expect }, httpVersion }: Request): boolean {
  return expect !== undefined && httpVersion !== "1.0" && expect.toLowerCase() !== "100-continue";
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

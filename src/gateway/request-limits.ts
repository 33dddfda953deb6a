import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { hasOddCoding, hasValidHost } from "../adapters/node/framing.ts";
import { hasBody } from "../adapters/node/body.ts";
import type { NodeHandler } from "../adapters/node/handler.ts";
import type { Limits } from "../limits/options.ts";
import {
  expectationFailed,
  headersTooLarge,
  hostInvalid,
  malformed,
  sendRefusal,
  tooSlow,
  uriTooLong,
  type OnRefused,
  type Refusal,
} from "./refusals.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * The head size up to which Node's parsers accept a request, in bytes. {@link withinLimits} then checks the exact
 * limits.
 */
export function headLimit({ url, headers }: Limits): number {
  return url + headers;
}

/**
 * Wraps a handler with the request limits, and with the protocol rules that Node does not check, for both HTTP/1.1 and
 * HTTP/2. `current` returns the limits at each request.
 */
export function withinLimits(handler: NodeHandler, current: () => Limits, onRefused: OnRefused): NodeHandler {
  const refuse = (refusal: Refusal, request: Request, response: Response): void => {
    onRefused(refusal.code);
    sendRefusal(refusal, request, response);
  };
  /** Connections that accept no further request. */
  const finished = new WeakSet<object>();
  return (request, response) => {
    if (finished.has(request.socket)) return;
    // No handler here upgrades, so Node drops the rest of the packet. Later packets must not be answered either.
    if (request.headers.upgrade !== undefined && "shouldKeepAlive" in response) {
      finished.add(request.socket);
      response.shouldKeepAlive = false;
    }
    const limits = current();
    if (hasOddCoding(request)) {
      finished.add(request.socket);
      return refuse(malformed, request, response);
    }
    const refusal = refusalOf(request, limits);
    if (refusal) return refuse(refusal, request, response);
    if (hasBody(request)) limitBodyTime(request, limits.timeouts.body, () => refuse(tooSlow, request, response));
    handler(request, response);
  };
}

function refusalOf(request: Request, limits: Limits): Refusal | undefined {
  const { url = "", rawHeaders } = request;
  if (url.length > limits.url) return uriTooLong(limits.url);
  let length = 0;
  for (const text of rawHeaders) length += text.length;
  if (length > limits.headers) return headersTooLarge;
  if (!hasValidHost(request)) return hostInvalid;
  return hasUnknownExpectation(request) ? expectationFailed : undefined;
}

/** RFC 9110 §10.1.1 defines only `100-continue`; HTTP/1.0 has no expectations. */
function hasUnknownExpectation({ headers: { expect }, httpVersion }: Request): boolean {
  return expect !== undefined && httpVersion !== "1.0" && expect.toLowerCase() !== "100-continue";
}

/** Node's own `requestTimeout` does not cover HTTP/2, and must not be shorter than the timeout for a head. */
function limitBodyTime(request: Request, time: number, onLate: () => void): void {
  const timer = setTimeout(() => {
    if (!request.complete) onLate();
  }, time);
  const stop = (): void => clearTimeout(timer);
  request.once("end", stop).once("close", stop);
}

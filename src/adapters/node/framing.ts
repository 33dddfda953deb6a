/** Rules of HTTP/1.1 that Node's parser does not check, and that other servers may read differently. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { SpillwayError } from "../../errors.ts";
import { isHost } from "../raw/request-head.ts";

type Heads = Pick<IncomingMessage | Http2ServerRequest, "headers" | "httpVersion" | "rawHeaders">;

/**
 * Whether Node's parser has taken a body for chunked where another server might not. Who reads the length differently
 * takes other bytes for the next request (RFC 9112 §6.1).
 */
export function hasOddCoding({ headers, httpVersion }: Heads): boolean {
  const coding = headers["transfer-encoding"];
  return coding !== undefined && (httpVersion !== "1.1" || coding.toLowerCase() !== "chunked");
}

/** RFC 9112 §3.2: HTTP/1.1 requires exactly one `Host`. HTTP/2 uses `:authority` instead. */
export function hasValidHost({ headers, httpVersion, rawHeaders }: Heads): boolean {
  if (headers.host === undefined) return httpVersion !== "1.1";
  if (!isHost(headers.host)) return false;
  // Node keeps only the first one in `headers`.
  return rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === "host").length === 1;
}

/** Connections whose next request may begin elsewhere for another server. */
const unclear = new WeakSet<object>();

/**
 * Checks a request that is to be forwarded. The gateway's own server checks all of its requests; in another server, only
 * the routes need it.
 * @throws {SpillwayError} `request-invalid`, also for all later requests of a connection whose framing is not clear.
 */
export function assertForwardable(request: IncomingMessage, response: ServerResponse): void {
  if (hasOddCoding(request)) unclear.add(request.socket);
  if (unclear.has(request.socket)) {
    response.shouldKeepAlive = false;
    throw new SpillwayError("request-invalid", "the length of the body is not clear", { field: "Transfer-Encoding" });
  }
  if (!hasValidHost(request)) throw new SpillwayError("request-invalid", undefined, { field: "Host" });
}

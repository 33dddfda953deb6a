/** Answers to what never becomes a request of the gateway, or is one no more. */
import type { Socket } from "node:net";
import type { Connections } from "../adapters/connections.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import { problem } from "../http/problem.ts";
import type { Limits } from "../limits/options.ts";

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

const malformed = invalid(400, "Bad Request", "request");

function invalid(status: number, title: string, field: string): Refusal {
  return {
    status,
    code: "request-invalid",
    title,
    body: JSON.stringify({ type: "about:blank", title, status, code: "request-invalid", field }),
  };
}

interface ParserError extends NodeJS.ErrnoException {
  /** The bytes at which Node's parser gave up. */
  readonly rawPacket?: Buffer;
}

/** Told of each refusal, by its code. */
export type OnRefused = (code: ErrorCode) => void;

/** What Node's parser refuses never becomes a request; it is answered here, where it cannot get into another answer. */
export function refuseConnection(
  error: ParserError,
  socket: Socket,
  connections: Connections,
  { url }: Limits,
  onRefused: OnRefused,
): void {
  if (!connections.has(socket) || connections.isBusy(socket) || !socket.writable) return void socket.destroy();
  const { status, code, title, body } = refusalOf(error, url);
  onRefused(code);
  // Half open as it is, it would else stay for as long as its client likes.
  setTimeout(() => socket.destroy(), refusalTime).unref();
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function refusalOf({ code, rawPacket }: ParserError, url: number): Refusal {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return tooSlow;
  if (code !== "HPE_HEADER_OVERFLOW") return malformed;
  const line = rawPacket?.toString("latin1", 0, url + 20) ?? "";
  return /^[A-Z]+ \S+$/.test(line) ? uriTooLong(url) : headersTooLarge;
}

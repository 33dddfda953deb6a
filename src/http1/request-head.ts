import { Http1Error } from "./error.ts";
import { isFieldName, isFieldValue } from "./field-lines.ts";

/** A request, in a form that undici's dispatchers take, too. */
export interface Http1Request {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Names, in lower case, and values in turn, without fields about the connection or a coding. */
  readonly headers: readonly string[];
  /** Absent or null for none. It is sent with the length of `content-length`, or else in chunks. */
  readonly body?: AsyncIterable<Uint8Array> | null;
  /** The protocol that the connection is to change to (RFC 9110 §7.8). */
  readonly upgrade?: string | null;
  /** Whether the connection ends with the response. */
  readonly reset?: boolean;
}

/** Visible characters, a byte each. */
const requestTarget = /^\/[\x21-\x7e\x80-\xff]*$/;

/**
 * The head of a request as it is sent (RFC 9112 §3).
 * @param host the value of `Host`, unless the request has one
 * @throws {Http1Error} `INVALID_REQUEST` for what would be read as something else.
 */
export function writeRequestHead({ path, method, headers, upgrade, reset, body }: Http1Request, host: string): string {
  if (!isFieldName(method) || !requestTarget.test(path)) throw invalid("the request line is malformed");
  let text = "";
  let hasHost = false;
  let isSized = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    if (!isFieldName(name) || !isFieldValue(value)) throw invalid("a header field is malformed");
    if (name === "host") hasHost = true;
    else if (name === "content-length") isSized = true;
    text += `${name}: ${value}\r\n`;
  }
  if (!hasHost) text = `host: ${host}\r\n${text}`;
  if (upgrade) text += `upgrade: ${upgrade}\r\n`;
  if (body && !isSized) text += "transfer-encoding: chunked\r\n";
  return `${method} ${path} HTTP/1.1\r\n${text}connection: ${upgrade ? "upgrade" : reset ? "close" : "keep-alive"}\r\n\r\n`;
}

function invalid(message: string): Http1Error {
  return new Http1Error("INVALID_REQUEST", message);
}

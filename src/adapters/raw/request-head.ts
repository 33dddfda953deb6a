import { readFieldLines } from "../../http1/field-lines.ts";
import type { HttpRequest } from "../../http/message.ts";

/** The head of a request, read from the bytes of its connection. */
export interface RequestHead {
  readonly method: "GET" | "HEAD";
  /** Path and query as received. */
  readonly target: string;
  /** Names and values of the headers in turn, as received. */
  readonly fields: readonly string[];
  /** Headers by lower-case name. None occurs twice. */
  readonly headers: ReadonlyMap<string, string>;
}

const longestHead = 8 * 1024;

/** Origin form only, of visible ASCII (RFC 9112 §3.2.1). */
const requestLine = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1$/;

/** Headers that imply a body, or another protocol on the connection. */
const involved: ReadonlySet<string> = new Set(["content-length", "expect", "trailer", "transfer-encoding", "upgrade"]);

/**
 * Reads a plain HTTP/1.1 GET or HEAD that is complete in this chunk and is followed by nothing. `undefined` for
 * everything else, valid or not, which is left to a full HTTP parser.
 */
export function readPlainRequest(chunk: Buffer): RequestHead | undefined {
  if (chunk.length > longestHead || chunk.length < 18) return undefined;
  const text = chunk.toString("latin1");
  if (!/^(?:GET|HEAD) \//.test(text) || text.indexOf("\r\n\r\n") !== text.length - 4) return undefined;
  const lines = text.slice(0, -4).split("\r\n");
  const parts = requestLine.exec(lines[0]!);
  const fields = parts ? readFieldLines(lines, 1) : undefined;
  const headers = fields && byName(fields);
  return headers && { method: parts![1] as RequestHead["method"], target: parts![2]!, fields, headers };
}

function byName(fields: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    // Whether a repeated header is joined, dropped or refused depends on its name, and is left to Node.
    if (involved.has(name) || headers.has(name)) return undefined;
    headers.set(name, fields[i + 1]!);
  }
  const connection = headers.get("connection");
  const persistent = connection === undefined || /^keep-alive$/i.test(connection);
  const host = headers.get("host");
  return host !== undefined && isHost(host) && persistent ? headers : undefined;
}

/** Path and query of a request target in origin form (RFC 9112 §3.2.1). */
export function splitTarget(target: string): Pick<HttpRequest, "path" | "query"> {
  const mark = target.indexOf("?");
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** `uri-host [ ":" port ]` (RFC 9112 §3.2, RFC 3986 §3.2.2): a name or IPv4 address, or an IP literal in brackets. */
const host = /^(?:\[[0-9a-z:.%]+\]|(?:[\w\-.~!$&'()*+,;=]|%[0-9a-f]{2})*)(?::\d*)?$/i;

/** Whether the value of a `Host` header is valid. An empty one is: the target then has no authority (RFC 9112 §3.2). */
export function isHost(value: string): boolean {
  return host.test(value);
}

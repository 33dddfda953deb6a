/** A request as a strict server reads it. */
export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  /** Names in lower case, with their values, in order. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** All values of a header, joined; `undefined` without it. The name in lower case. */
  header(name: string): string | undefined;
  /** A character for each byte; what has come of it so far. */
  readonly body: string;
  readonly trailers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly isComplete: boolean;
}

/** What the bytes of a connection are to a strict server. */
export interface StrictReading {
  /** The last one may be incomplete. */
  readonly requests: readonly StrictRequest[];
  /** Why the bytes are no sequence of well-formed requests; `undefined` if they are one, so far. */
  readonly error: string | undefined;
}

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ((?:\/|https?:)[\x21-\x7e]*|\*) HTTP\/1\.1$/;
const fieldLine =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)$/;

/**
 * Reads requests with the narrowest reading of RFC 9112: no bare line feed, no folded line, one length in plain digits
 * or the one coding `chunked`, chunks without extensions. What another server might read differently is an error.
 */
export function readStrictly(text: string): StrictReading {
  const requests: StrictRequest[] = [];
  let rest = text;
  try {
    while (rest !== "") {
      const read = readOne(rest);
      if (!read) break;
      requests.push(read.request);
      ({ rest } = read);
    }
  } catch (error) {
    return { requests, error: (error as Error).message };
  }
  return { requests, error: undefined };
}

function readOne(text: string): { request: StrictRequest; rest: string } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [, method, target] = requestLine.exec(first) ?? fail(`the request line ${JSON.stringify(first)}`);
  const headers = lines.map(readField);
  const header = (name: string): string | undefined => {
    const values = headers.filter(([found]) => found === name).map(([, value]) => value);
    return values.length > 0 ? values.join(", ") : undefined;
  };
  const hosts = headers.filter(([name]) => name === "host");
  if (hosts.length !== 1) fail(`${hosts.length} Host headers`);
  const {
    body,
    trailers = [],
    rest,
  } = readBody(text.slice(end + 4), header("content-length"), header("transfer-encoding"));
  return {
    request: { method: method!, target: target!, headers, header, body, trailers, isComplete: rest !== undefined },
    rest: rest ?? "",
  };
}

interface Body {
  readonly body: string;
  readonly trailers?: StrictRequest["trailers"];
  /** Absent until the body is complete. */
  readonly rest?: string;
}

function readBody(text: string, length: string | undefined, coding: string | undefined): Body {
  if (length !== undefined && coding !== undefined) fail("Content-Length and Transfer-Encoding");
  if (coding !== undefined) return coding === "chunked" ? readChunks(text) : fail(`Transfer-Encoding: ${coding}`);
  if (length === undefined) return { body: "", rest: text };
  if (!/^(0|[1-9]\d{0,14})$/.test(length)) fail(`Content-Length: ${length}`);
  const size = Number(length);
  return text.length < size ? { body: text } : { body: text.slice(0, size), rest: text.slice(size) };
}

function readChunks(text: string): Body {
  let body = "";
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end === -1) return { body };
    const line = text.slice(at, end);
    if (!/^[0-9a-f]{1,8}$/i.test(line)) fail(`the chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = end + 2;
    if (size === 0) return { body, ...readTrailers(text.slice(at)) };
    body += text.slice(at, at + size);
    if (text.length < at + size + 2) return { body };
    if (text.slice(at + size, at + size + 2) !== "\r\n") fail("a chunk that is longer than its size");
    at += size + 2;
  }
}

function readTrailers(text: string): Omit<Body, "body"> {
  if (text.startsWith("\r\n")) return { rest: text.slice(2) };
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return {};
  return { trailers: text.slice(0, end).split("\r\n").map(readField), rest: text.slice(end + 4) };
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = fieldLine.exec(line) ?? fail(`the header line ${JSON.stringify(line)}`);
  return [name!.toLowerCase(), value!];
}

function fail(what: string): never {
  throw new Error(what);
}

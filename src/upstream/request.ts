import { eventStreamType } from "../sse/index.ts";
import { UpstreamFailure } from "./failure.ts";
import type { UpstreamOptions } from "./upstream.ts";

/** A request of an attempt: the first one, or one that follows a redirect. */
export interface UpstreamRequest {
  readonly url: URL;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Default headers, which those given override. A compressed stream would be delayed until a block is full. */
const ownHeaders = { "accept": eventStreamType, "accept-encoding": "identity", "cache-control": "no-cache" };

/** The request to a target, without the cursor. A user and password in the URL become Basic credentials. */
export function firstRequest(
  target: string,
  options: Pick<UpstreamOptions, "method" | "body">,
  given: Readonly<Record<string, string>>,
): UpstreamRequest {
  const url = new URL(target);
  if (!isWeb(url)) throw new UpstreamFailure("upstream-connect");
  const headers: Record<string, string> = { ...ownHeaders, ...basicCredentials(url) };
  for (const [name, value] of Object.entries(given)) headers[name.toLowerCase()] = value;
  const { method } = options;
  return { url: bare(url), method, headers, body: method === "GET" ? undefined : options.body };
}

/** Adds the position to resume or to start at. Applied to every hop, because a redirect need not repeat the query. */
export function resumed(
  request: UpstreamRequest,
  resume: UpstreamOptions["resume"],
  cursor: string | undefined,
): UpstreamRequest {
  if (typeof resume === "object") {
    if (!("query" in resume)) return request;
    const value = cursor ?? resume.initial;
    return value === undefined ? request : { ...request, url: withParameter(request.url, resume.query, value) };
  }
  if (cursor === undefined || resume === "none") return request;
  return { ...request, headers: { ...request.headers, "last-event-id": headerValue(cursor) } };
}

/** Headers that are sent to a foreign origin. Any other header may hold a key, whatever its name. */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "cache-control",
  "content-type",
  "last-event-id",
]);

/**
 * Follows a redirect as fetch does (WHATWG Fetch, HTTP-redirect fetch), but sends only harmless headers to a foreign
 * origin. Keeps method and body if the status requires it (307, 308).
 * @throws {UpstreamFailure} `upstream-redirect` if the location is missing, invalid, or not an HTTP URL.
 */
export function redirected(request: UpstreamRequest, status: number, location: string | undefined): UpstreamRequest {
  const url =
    location === undefined || !URL.canParse(location, request.url) ? undefined : new URL(location, request.url);
  if (!url || !isWeb(url)) throw new UpstreamFailure("upstream-redirect", { status });
  const toGet = status === 303 || (request.method === "POST" && (status === 301 || status === 302));
  const headers = Object.entries(request.headers).filter(
    ([name]) => (url.origin === request.url.origin || harmless.has(name)) && !(toGet && name.startsWith("content-")),
  );
  return {
    url: bare(url),
    method: toGet ? "GET" : request.method,
    headers: Object.fromEntries(headers),
    body: toGet ? undefined : request.body,
  };
}

function isWeb(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

function basicCredentials(url: URL): Record<string, string> {
  if (!url.username && !url.password) return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** Removes user, password and fragment, which are not sent as part of the address. */
function bare(url: URL): URL {
  const result = new URL(url);
  result.username = "";
  result.password = "";
  result.hash = "";
  return result;
}

/** Maximum length of an id in bytes. Servers refuse requests with headers or URLs of more than 8 to 16 KiB in total. */
const longestId = 4096;

/**
 * The cursor, if a request can carry it. Otherwise the stream is opened without one, where the source starts by
 * default, and the gap is announced; a request that the source refuses at every attempt would never recover.
 */
export function sendable(cursor: string | undefined, resume: UpstreamOptions["resume"]): string | undefined {
  if (resume === "none" || !cursor || Buffer.byteLength(cursor) > longestId) return undefined;
  return resume === "header" && hasControl(cursor) ? undefined : cursor;
}

/** A header value must not contain control characters other than the tab (RFC 9110 section 5.5). */
function hasControl(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\0-\x08\x0a-\x1f\x7f]/.test(text);
}

/**
 * The value of the `Last-Event-ID` header: the id's UTF-8 bytes, as browsers send it (WHATWG HTML section 9.2.3). HTTP
 * clients write header strings as Latin-1, so each byte becomes one character.
 */
export function headerValue(cursor: string): string {
  return Buffer.from(cursor, "utf8").toString("latin1");
}

/**
 * Sets one query parameter and leaves the others as they were written. `URLSearchParams` would re-encode them, which
 * would change a signed or unusual query.
 */
export function withParameter(url: URL, name: string, value: string): URL {
  const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  const parts = url.search === "" ? [] : url.search.slice(1).split("&");
  const found = parts.findIndex((part) => nameOf(part) === name);
  const place = found < 0 ? parts.length : found;
  const rest = parts.slice(place).filter((part) => nameOf(part) !== name);
  const result = new URL(url);
  result.search = [...parts.slice(0, place), pair, ...rest].join("&");
  return result;
}

function nameOf(part: string): string | undefined {
  return new URLSearchParams(part).keys().next().value;
}

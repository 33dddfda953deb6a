import { eventStreamType } from "../sse/index.ts";
import { UpstreamFailure } from "./failure.ts";
import type { UpstreamOptions } from "./upstream.ts";

/** A request of an attempt: the first or what a redirect made of it. */
export interface UpstreamRequest {
  readonly url: URL;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Sent unless the user's headers say otherwise. A compressed stream would be held back until a block is full. */
const ownHeaders = { "accept": eventStreamType, "accept-encoding": "identity", "cache-control": "no-cache" };

/** The request to a target, without the cursor. A user and password in the URL become Basic credentials. */
export function firstRequest(
  target: string,
  options: Pick<UpstreamOptions, "method" | "body">,
  userHeaders: Readonly<Record<string, string>>,
): UpstreamRequest {
  const url = new URL(target);
  if (!isWeb(url)) throw new UpstreamFailure("upstream-connect");
  const headers: Record<string, string> = { ...ownHeaders, ...basicCredentials(url) };
  for (const [name, value] of Object.entries(userHeaders)) headers[name.toLowerCase()] = value;
  const { method } = options;
  return { url: bare(url), method, headers, body: method === "GET" ? undefined : options.body };
}

/** Adds where to resume, or where to start first, to every hop anew: a redirect need not repeat our query. */
export function resumed(
  request: UpstreamRequest,
  resume: UpstreamOptions["resume"],
  cursor: string | undefined,
): UpstreamRequest {
  if (resume !== "header") {
    const value = cursor ?? resume.initial;
    return value === undefined ? request : { ...request, url: withParameter(request.url, resume.query, value) };
  }
  if (cursor === undefined) return request;
  return { ...request, headers: { ...request.headers, "last-event-id": headerValue(cursor) } };
}

/** What a foreign origin may see. Any other header may hold a key, whatever its name: `Authorization`, `Cookie`, `X-Api-Key`. */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "cache-control",
  "content-type",
  "last-event-id",
]);

/**
 * Follows a redirect as fetch does (WHATWG Fetch, HTTP-redirect fetch), but leaves all headers of the user behind at a foreign origin.
 * The body goes along where the status says so (307, 308).
 * @throws {UpstreamFailure} `upstream-redirect`: nowhere to go, or not by HTTP.
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

/** Without user, password and fragment: none of them is sent as part of the address. */
function bare(url: URL): URL {
  const result = new URL(url);
  result.username = "";
  result.password = "";
  result.hash = "";
  return result;
}

/** Servers refuse requests with longer headers or URLs (8 to 16 KiB in all), again at every attempt. */
const longestId = 4096;

/**
 * The cursor if a request can carry it. One that cannot be sent counts as none: the stream is then opened where the source
 * starts by itself and the gap is announced, while a request that is refused for ever would never heal.
 */
export function sendable(cursor: string | undefined, resume: UpstreamOptions["resume"]): string | undefined {
  if (!cursor || Buffer.byteLength(cursor) > longestId) return undefined;
  return resume === "header" && hasControl(cursor) ? undefined : cursor;
}

/** Control characters but the tab are no part of a header value (RFC 9110 section 5.5). */
function hasControl(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\0-\x08\x0a-\x1f\x7f]/.test(text);
}

/**
 * The `Last-Event-ID` header's value: the id's UTF-8 bytes, as browsers send it (WHATWG HTML section 9.2.3). HTTP clients write
 * header strings as Latin-1, so each byte becomes one character.
 */
export function headerValue(cursor: string): string {
  return Buffer.from(cursor, "utf8").toString("latin1");
}

/**
 * Sets one query parameter and leaves the others as they were written: `URLSearchParams` would encode them anew, and a signed
 * or unusual query would no longer be the same.
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

import type { UpstreamOptions } from "./upstream.ts";

type Resume = UpstreamOptions["resume"];

/** Servers refuse requests with longer headers or URLs (8 to 16 KiB in all), again at every attempt. */
const longestId = 4096;

/**
 * The cursor if a request can carry it. One that cannot be sent counts as none: the stream is then opened where the source
 * starts by itself and the gap is announced, while a request that is refused for ever would never heal.
 */
export function sendable(cursor: string | undefined, resume: Resume): string | undefined {
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

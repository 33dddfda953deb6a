/** The longest wait that a source can request, in ms, so that the gateway recovers from a mistaken `Retry-After`. */
export const longestWait = 300_000;

/**
 * Reads a `Retry-After` header (RFC 9110 section 10.2.3: seconds or an HTTP date) as a time to wait, in ms, bounded by
 * `longest`; `undefined` if it is absent or malformed.
 */
export function parseRetryAfter(
  value: string | undefined,
  now: number,
  longest: number = longestWait,
): number | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : dateOf(text) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), longest);
}

/** HTTP dates start with a weekday; `Date.parse` alone would accept `-5` as a year. */
function dateOf(text: string): number {
  return /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : NaN;
}

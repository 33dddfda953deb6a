import { expect, test } from "vitest";
import { longestWait, parseRetryAfter } from "../../../src/upstream/retry-after.ts";

const now = Date.parse("2026-11-21T08:00:00Z");

test.each([
  ["7", 7000],
  [" 0 ", 0],
  ["Sat, 21 Nov 2026 08:00:30 GMT", 30_000],
  ["Saturday, 21-Nov-26 08:01:00 GMT", 60_000],
  ["Sat, 21 Nov 2026 07:00:00 GMT", 0],
])("%j means a wait of %i ms", (text, wait) => {
  expect(parseRetryAfter(text, now)).toBe(wait);
});

test.each(["999999", "99999999999999999999999", "Sun, 21 Nov 2027 08:00:00 GMT"])("%j is bounded", (text) => {
  expect(parseRetryAfter(text, now)).toBe(longestWait);
});

test.each([undefined, "", "soon", "-5", "1.5", "Mon, never"])("%j is ignored", (text) => {
  expect(parseRetryAfter(text, now)).toBeUndefined();
});

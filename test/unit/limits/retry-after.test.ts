import fc from "fast-check";
import { expect, test } from "vitest";
import { retryAfterSeconds } from "../../../src/limits/retry-after.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("the seconds are whole, at least the given time and at most twice that", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), random, (base, r) => {
      const seconds = retryAfterSeconds(base, r);
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(base);
      expect(seconds).toBeLessThanOrEqual(2 * base);
    }),
  );
});

test("both ends are possible, and a long wait is spread over a minute", () => {
  const ends = (base: number): number[] => [retryAfterSeconds(base, 0), retryAfterSeconds(base, 1 - Number.EPSILON)];
  expect(ends(5)).toEqual([5, 10]);
  expect(ends(900)).toEqual([900, 960]);
});

test("a fraction of a second, or zero, becomes one second", () => {
  for (const base of [0, 0.2, 1]) expect(retryAfterSeconds(base, 0)).toBe(1);
});

test("without a given random number the answers differ", () => {
  expect(new Set(Array.from({ length: 200 }, () => retryAfterSeconds(30))).size).toBeGreaterThan(1);
});

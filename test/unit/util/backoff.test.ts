import * as fc from "fast-check";
import { expect, test } from "vitest";
import { backoffDelay } from "../../../src/util/backoff.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 5000 });
const bounds = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 100_000 }))
  .map(([min, more]) => ({ min, max: min + more }));
const floor = fc.integer({ min: 0, max: 300_000 });

test("a delay is never below the minimum nor above the maximum", () => {
  fc.assert(
    fc.property(failures, bounds, random, (n, limits, r) => {
      const delay = backoffDelay(n, limits, 0, r);
      expect(delay).toBeGreaterThanOrEqual(limits.min);
      expect(delay).toBeLessThanOrEqual(limits.max);
    }),
  );
});

test("a delay is never below the server's request, and only exceeds the maximum for it", () => {
  fc.assert(
    fc.property(failures, bounds, floor, random, (n, limits, asked, r) => {
      const delay = backoffDelay(n, limits, asked, r);
      expect(delay).toBeGreaterThanOrEqual(asked);
      expect(delay).toBeLessThanOrEqual(Math.max(limits.max, asked));
    }),
  );
});

test("with the same random number, a further failure never shortens the delay", () => {
  fc.assert(
    fc.property(failures, bounds, floor, random, (n, limits, asked, r) => {
      expect(backoffDelay(n + 1, limits, asked, r)).toBeGreaterThanOrEqual(backoffDelay(n, limits, asked, r));
    }),
  );
});

test("random numbers spread the delay evenly up to a ceiling that doubles", () => {
  const limits = { min: 100, max: 1000 };
  const ceilings = [1, 2, 3, 4, 5].map((n) => Math.round(backoffDelay(n, limits, 0, 1 - Number.EPSILON)));
  expect(ceilings).toEqual([200, 400, 800, 1000, 1000]);
  expect(backoffDelay(3, limits, 0, 0)).toBe(100);
  expect(backoffDelay(3, limits, 0, 0.5)).toBe(450);
});

test("even with bounds of zero there is a delay", () => {
  expect(backoffDelay(1, { min: 0, max: 0 }, 0, 0)).toBe(1);
});

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRateCounter } from "../../../src/limits/rate-counter.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a key that has used up its rate waits for the end of its window", () => {
  const counter = createRateCounter({ count: 2, window: 1000 });
  expect([counter.take(["a"]), counter.take(["a"]), counter.take(["a"])]).toEqual([0, 0, 1000]);
  vi.advanceTimersByTime(400);
  expect(counter.take(["a"])).toBe(600);
  vi.advanceTimersByTime(600);
  expect(counter.take(["a"])).toBe(0);
});

test("a refused request is not counted, under none of the keys", () => {
  const counter = createRateCounter({ count: 1, window: 1000 });
  counter.take(["a"]);
  for (let times = 0; times < 5; times++) expect(counter.take(["b", "a"])).toBe(1000);
  expect(counter.take(["b"])).toBe(0);
});

test("simultaneous requests cannot exceed the rate", () => {
  const counter = createRateCounter({ count: 3, window: 1000 });
  const waits = Array.from({ length: 10 }, () => counter.take(["a"]));
  expect(waits).toEqual([0, 0, 0, ...Array.from({ length: 7 }, () => 1000)]);
});

test("a key is forgotten when its window ends", () => {
  const before = vi.getTimerCount();
  const counter = createRateCounter({ count: 5, window: 1000 });
  for (let n = 0; n < 50; n++) counter.take([`key ${n}`]);
  expect(counter.size).toBe(50);
  vi.advanceTimersByTime(1000);
  expect(counter.size).toBe(0);
  expect(vi.getTimerCount()).toBe(before);
});

test("no window of a key exceeds its limit, for any sequence of requests", () => {
  const keys = fc.subarray(["a", "b", "c"], { minLength: 1 });
  const steps = fc.array(fc.record({ keys, pause: fc.oneof(fc.constant(0), fc.nat(700)) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 4 }), (asked, count) => {
      const counter = createRateCounter({ count, window: 1000 });
      /** A simple implementation of a fixed window. */
      const windows = new Map<string, { used: number; end: number }>();
      for (const step of asked) {
        vi.advanceTimersByTime(step.pause);
        const now = Date.now();
        for (const [key, { end }] of windows) if (end <= now) windows.delete(key);
        const waits = step.keys.map((key) => windows.get(key)).map((w) => (w && w.used >= count ? w.end - now : 0));
        expect(counter.take(step.keys)).toBe(Math.max(...waits));
        if (Math.max(...waits) > 0) continue;
        for (const key of step.keys) {
          const { used, end } = windows.get(key) ?? { used: 0, end: now + 1000 };
          windows.set(key, { used: used + 1, end });
        }
      }
    }),
  );
});

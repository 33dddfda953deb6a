import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createMemoryRateCounter } from "../../../src/limits/memory-rate-counter.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a key that has had all its places waits for the end of its window", async () => {
  const counter = createMemoryRateCounter({ count: 2, window: 1000 });
  expect([await counter.take(["a"]), await counter.take(["a"]), await counter.take(["a"])]).toEqual([0, 0, 1000]);
  vi.advanceTimersByTime(400);
  expect(await counter.take(["a"])).toBe(600);
  vi.advanceTimersByTime(600);
  expect(await counter.take(["a"])).toBe(0);
});

test("who is refused is not counted, under none of the keys", async () => {
  const counter = createMemoryRateCounter({ count: 1, window: 1000 });
  await counter.take(["a"]);
  for (let times = 0; times < 5; times++) expect(await counter.take(["b", "a"])).toBe(1000);
  expect(await counter.take(["b"])).toBe(0);
});

test("those who ask at the same time get no more than there is", async () => {
  const counter = createMemoryRateCounter({ count: 3, window: 1000 });
  const waits = await Promise.all(Array.from({ length: 10 }, () => counter.take(["a"])));
  expect(waits).toEqual([0, 0, 0, ...Array.from({ length: 7 }, () => 1000)]);
});

test("a key is forgotten when its window ends", async () => {
  const before = vi.getTimerCount();
  const counter = createMemoryRateCounter({ count: 5, window: 1000 });
  for (let n = 0; n < 50; n++) await counter.take([`key ${n}`]);
  vi.advanceTimersByTime(1000);
  // The timer of a key goes with its entry.
  expect(vi.getTimerCount()).toBe(before);
});

test("no window of a key has more than its count, whatever is asked for and when", async () => {
  const keys = fc.subarray(["a", "b", "c"], { minLength: 1 });
  const steps = fc.array(fc.record({ keys, pause: fc.oneof(fc.constant(0), fc.nat(700)) }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (asked, count) => {
      const counter = createMemoryRateCounter({ count, window: 1000 });
      /** What a fixed window holds, written down naively. */
      const windows = new Map<string, { used: number; end: number }>();
      for (const step of asked) {
        vi.advanceTimersByTime(step.pause);
        const now = Date.now();
        for (const [key, { end }] of windows) if (end <= now) windows.delete(key);
        const waits = step.keys.map((key) => windows.get(key)).map((w) => (w && w.used >= count ? w.end - now : 0));
        expect(await counter.take(step.keys)).toBe(Math.max(...waits));
        if (Math.max(...waits) > 0) continue;
        for (const key of step.keys) {
          const { used, end } = windows.get(key) ?? { used: 0, end: now + 1000 };
          windows.set(key, { used: used + 1, end });
        }
      }
    }),
  );
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StoredState } from "../../../../src/log/engine/driver.ts";
import { type RetainedLog, startRetention, trimToEnd } from "../../../../src/log/engine/retention.ts";
import { SpillwayError } from "../../../../src/errors.ts";
import type { Retention } from "../../../../src/log/log.ts";
import { silentLogger } from "../../../../src/util/logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A log with this many events, and the retention steps on it. */
function createLog(events: number, bounds: Partial<Retention>) {
  const steps: number[] = [];
  const keys: number[] = [];
  let held = events;
  let fails = false;
  const log: RetainedLog = {
    retention: { age: undefined, events: undefined, bytes: undefined, ...bounds },
    state: () => ({
      head: events,
      earliest: events - held + 1,
      upstreamCursor: undefined,
      events: held,
      bytes: held,
      lastTime: 0,
    }),
    observe: () => {},
    driver: {
      async trim({ events: most = 0 }, limit) {
        if (fails) throw new Error("away");
        const removed = Math.min(limit, Math.max(0, held - most));
        held -= removed;
        steps.push(removed);
        return { removed, state: {} as StoredState };
      },
      boundKeys: async (max) => void keys.push(max),
    },
  };
  return { log, steps, keys, fail: (now: boolean) => (fails = now) };
}

const store = { prune: async () => {}, storeError: () => new SpillwayError("store-unavailable") };

test("a log is trimmed completely in steps of 1,000", async () => {
  const { log, steps } = createLog(2_500, { events: 100 });
  expect(await trimToEnd(log, 0)).toBe(2_400);
  expect(steps).toEqual([1_000, 1_000, 400]);
});

test("a log within its number and size is not trimmed; one with an age is checked after a hundredth of it", async () => {
  const within = createLog(10, { events: 10, bytes: 10 });
  const beyond = createLog(11, { events: 10 });
  const aged = createLog(10, { age: 500_000 });
  const rounds = startRetention(
    store,
    () => [within.log, beyond.log, aged.log],
    () => 0,
    silentLogger,
  );
  await vi.advanceTimersByTimeAsync(11_000);
  expect(within.steps).toEqual([]);
  expect(beyond.steps).toEqual([1]);
  expect(aged.steps.length).toBeLessThanOrEqual(3);
  expect(aged.steps.length).toBeGreaterThan(0);
  rounds.stop();
});

test("once a minute idempotency keys are limited, and old ones are removed", async () => {
  const pruned: number[] = [];
  const { log, keys } = createLog(0, { keys: 7 });
  const prune = async (before: number): Promise<void> => void pruned.push(before);
  const rounds = startRetention(
    { ...store, prune },
    () => [log],
    () => 90_000_000,
    silentLogger,
  );
  await vi.advanceTimersByTimeAsync(62_000);
  expect(keys).toEqual([7]);
  expect(pruned).toEqual([90_000_000 - 86_400_000]);
  rounds.stop();
});

test("an unreachable store is logged once, and retried every second", async () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) };
  const { log, steps, fail } = createLog(11, { events: 10 });
  fail(true);
  const rounds = startRetention(
    store,
    () => [log],
    () => 0,
    logger,
  );
  await vi.advanceTimersByTimeAsync(5_000);
  expect(warnings).toEqual(["retention cannot be applied"]);
  fail(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(steps).toEqual([1]);
  rounds.stop();
});

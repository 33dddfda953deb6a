import type { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Rate } from "./options.ts";
import type { RateCounter } from "./rate-counter.ts";

/**
 * Counts in the memory of this process. A key's window starts with its first time; when it ends, the key is forgotten. Until then it
 * takes about 650 bytes.
 */
export function createMemoryRateCounter({ count, window }: Rate): RateCounter {
  const opening = createLimiter(count, window);
  let last: Promise<unknown> = opening;

  async function take(keys: readonly string[]): Promise<number> {
    const limiter = await opening;
    const found = await Promise.all(keys.map((key) => limiter.get(key)));
    const wait = Math.max(0, ...found.map((entry) => waitOf(entry, count)));
    // Not `consume`: that would also count those who are refused.
    if (wait === 0) await Promise.all(keys.map((key) => limiter.penalty(key)));
    return wait;
  }

  return {
    // One after the other, so that nobody comes between the look and the count. After the first, each takes no longer than its microtasks.
    take(keys) {
      const taken = last.then(() => take(keys));
      last = taken;
      return taken;
    },
  };
}

/** The package brings clients for two dozen stores, 10 MB of memory: only who sets a rate pays for it. */
async function createLimiter(points: number, window: number): Promise<RateLimiterMemory> {
  const library = await import("rate-limiter-flexible");
  return new library.RateLimiterMemory({ points, duration: window / 1000, keyPrefix: "" });
}

function waitOf(entry: RateLimiterRes | null, count: number): number {
  return entry !== null && entry.consumedPoints >= count ? entry.msBeforeNext : 0;
}

import { createExpiringMap } from "../util/expiring-map.ts";
import { monotonicMs } from "../util/durations.ts";
import type { Rate } from "./options.ts";

/** Counts calls per key, in the memory of this process. */
export interface RateCounter {
  /**
   * Counts one call for each of the keys if all are within the rate, and nothing otherwise.
   * @returns ms until all keys are within the rate; 0 if the call was counted
   */
  take(keys: readonly string[]): number;
  /** Keys whose window is running. */
  readonly size: number;
}

/** Maximum number of keys, about 200 bytes each. Beyond it the key whose window ends first is forgotten. */
const maxKeys = 100_000;

/** Makes the counter of a rate. The window of a key starts with its first call; when it ends, the key is forgotten. */
export function createRateCounter({ count, window }: Rate): RateCounter {
  const windows = createExpiringMap<{ used: number }>({ ttl: window, max: maxKeys });

  function waitOf(key: string): number {
    const running = windows.get(key);
    return running && running.value.used >= count ? running.setAt + window - monotonicMs() : 0;
  }

  function add(key: string): void {
    const running = windows.get(key);
    if (running) running.value.used++;
    else windows.set(key, { used: 1 });
  }

  return {
    take(keys) {
      const wait = Math.max(0, ...keys.map(waitOf));
      if (wait === 0) keys.forEach(add);
      return wait;
    },
    get size() {
      return windows.size;
    },
  };
}

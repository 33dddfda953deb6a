import { monotonicMs } from "../util/durations.ts";

/** Limits retries, so that failing targets do not get many more requests than without retries. */
export interface RetryBudget {
  /** Counts a request. */
  count(): void;
  /** Whether one more retry is within the budget; if so, it is taken. */
  take(): boolean;
}

/** Retries that are always allowed in a window, for routes with few requests. */
const minRetries = 3;

/** The length of the window over which the budget is counted, in ms. */
const windowLength = 10_000;

/** Allows as many retries as `share` of the requests of the last ten seconds, and a few more. */
export function createRetryBudget(share: number, now: () => number = monotonicMs): RetryBudget {
  let startedAt = now();
  let current = { requests: 0, retries: 0 };
  let previous = { requests: 0, retries: 0 };

  /** The part of the previous window that is in the last ten seconds. */
  function advance(): number {
    const passed = now() - startedAt;
    if (passed < windowLength) return 1 - passed / windowLength;
    previous = passed < 2 * windowLength ? current : { requests: 0, retries: 0 };
    current = { requests: 0, retries: 0 };
    startedAt += Math.floor(passed / windowLength) * windowLength;
    return advance();
  }

  return {
    count() {
      advance();
      current.requests++;
    },
    take() {
      const overlap = advance();
      const requests = current.requests + previous.requests * overlap;
      const retries = current.retries + previous.retries * overlap;
      if (retries + 1 > minRetries + share * requests) return false;
      current.retries++;
      return true;
    },
  };
}

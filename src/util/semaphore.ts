/** A bounded number of permits. Callers that find none free wait in order (FIFO). */
export interface Semaphore {
  /**
   * Takes a permit and resolves to the function that releases it; calling that again has no effect. Rejects with the
   * reason of `signal` when it aborts first, with the error of {@link SemaphoreOptions.acquireTimeout}, or with that of
   * `rejectWaiting`.
   */
  acquire(signal?: AbortSignal): Promise<() => void>;
  /** Takes a permit if one is free. It must be released once, by `release`. */
  tryAcquire(): boolean;
  /** Releases a permit that `tryAcquire` took. */
  release(): void;
  /**
   * Runs a task with a permit, and releases it when the task has settled. Rejects as `acquire` does, or as the task
   * does.
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Rejects every caller that waits now. Permits that are held, and later calls, are not affected. */
  rejectWaiting(error: Error): void;
}

export interface SemaphoreOptions {
  /**
   * How long a caller waits for a permit, and the error it gets after that. Default: it waits until a permit is free.
   */
  readonly acquireTimeout?: { readonly ms: number; error(): Error };
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** Makes a {@link Semaphore} with the given number of permits. */
export function createSemaphore(permits: number, { acquireTimeout }: SemaphoreOptions = {}): Semaphore {
  let free = permits;
  // A set keeps the order of insertion, and removes a waiter that gives up in constant time.
  const waiting = new Set<Waiter>();

  function wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        waiting.delete(waiter);
      };
      const waiter: Waiter = {
        resolve() {
          leave();
          resolve();
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      const abort = (): void => waiter.reject(signal?.reason as Error);
      const timer = acquireTimeout && setTimeout(() => waiter.reject(acquireTimeout.error()), acquireTimeout.ms);
      signal?.addEventListener("abort", abort);
      waiting.add(waiter);
    });
  }

  async function take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (free > 0) free--;
    else await wait(signal);
  }

  function release(): void {
    const [next] = waiting;
    // The permit is handed over directly, so that no later caller can take it in between.
    if (next) next.resolve();
    else free++;
  }

  return {
    async acquire(signal) {
      await take(signal);
      let held = true;
      return () => {
        if (held) release();
        held = false;
      };
    },
    tryAcquire() {
      if (free === 0) return false;
      free--;
      return true;
    },
    release,
    async run(task, signal) {
      await take(signal);
      try {
        return await task();
      } finally {
        release();
      }
    },
    rejectWaiting(error) {
      for (const waiter of waiting) waiter.reject(error);
    },
  };
}

/**
 * Calls `work` for each item, at most `limit` at once, and resolves to the results in the order of the items. After a
 * failure it starts no further call, and rejects with the first error once all running calls have settled.
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const semaphore = createSemaphore(limit);
  const failures: unknown[] = [];
  const results: R[] = [];
  const attempt = async (item: T, index: number): Promise<void> => {
    if (failures.length > 0) return;
    try {
      results[index] = await work(item);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(items.map((item, index) => semaphore.run(() => attempt(item, index))));
  if (failures.length > 0) throw failures[0];
  return results;
}

import { createTally } from "./tally.ts";

/**
 * Runs a bounded number of tasks at once, and shares the permits fairly among keys. A key is the client that a task
 * runs for.
 */
export type FairLimiter = <T>(key: string, task: () => Promise<T>) => Promise<T>;

export interface FairLimits {
  /** Tasks that run at once. One key alone gets at most half of the permits, so that another key finds one free. */
  readonly atOnce: number;
  /** Tasks of one key that wait at most. */
  readonly waitingPerKey: number;
  /** Tasks of all keys that wait at most. */
  readonly waiting: number;
  /** How long a task may wait, in ms. */
  readonly acquireTimeout: number;
}

/**
 * Why a task was not run: `key` has too many waiting, there are too many `waiting` in all, or it waited for too `long`.
 */
export type NotRun = "key" | "waiting" | "long";

interface Waiting {
  start(): void;
}

/**
 * Makes a {@link FairLimiter}. A task that is not run rejects with the error that `refuse` makes.
 *
 * A key may have as many tasks running as permits are free. Keys that wait get the next permit in turn.
 */
export function createFairLimiter(limits: FairLimits, refuse: (why: NotRun) => Error): FairLimiter {
  const running = createTally();
  let free = limits.atOnce;
  // The next key is the first.
  const queues = new Map<string, Set<Waiting>>();
  let waiting = 0;

  const mayStart = (key: string): boolean => running.of(key) < free;

  function leave(key: string, one: Waiting): void {
    const queue = queues.get(key);
    if (!queue?.delete(one)) return;
    waiting--;
    if (queue.size === 0) queues.delete(key);
  }

  /** Skips only keys with running tasks, so at most `atOnce` of them. */
  function startNext(): void {
    for (const [key, queue] of queues) {
      if (!mayStart(key)) continue;
      const [first] = queue;
      leave(key, first!);
      // Moves the key to the end.
      if (queues.delete(key)) queues.set(key, queue);
      return first!.start();
    }
  }

  function waitFor(key: string): Promise<void> {
    const queue = queues.get(key) ?? new Set<Waiting>();
    if (queue.size >= limits.waitingPerKey) throw refuse("key");
    if (waiting >= limits.waiting) throw refuse("waiting");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        leave(key, one);
        reject(refuse("long"));
      }, limits.acquireTimeout);
      const one: Waiting = {
        start() {
          clearTimeout(timer);
          take(key);
          resolve();
        },
      };
      queues.set(key, queue.add(one));
      waiting++;
    });
  }

  function take(key: string): void {
    free--;
    running.add(key);
  }

  return async (key, task) => {
    if (!queues.has(key) && mayStart(key)) take(key);
    else await waitFor(key);
    try {
      return await task();
    } finally {
      free++;
      running.remove(key);
      startNext();
    }
  };
}

import { SpillwayError } from "../errors.ts";
import type { Limits } from "./options.ts";
import { createTally } from "../util/tally.ts";

/** How many entries run at once, and how long others wait. */
export type ReplayLimits = Pick<Limits, "replays" | "replayWait">;

/** Limits concurrent replays or searches. Others wait in order; the queue is at most as long as the limit. */
export interface ReplayGate {
  /**
   * Enters at once if a place is free, or when it is this caller's turn. Returns the function that leaves the place,
   * which is idempotent. Every caller that entered must leave, even if its signal has aborted.
   *
   * @param signal returns a signal that leaves the queue: the promise then rejects with its reason. Not called if a
   * place is free.
   * @param key identifies a client, which may use at most half of the places and of the queue; absent for no such limit
   * @throws {SpillwayError} `replay-busy` with `retryAfter`: at once if too many wait, or after `replayWait`
   */
  enter(signal: () => AbortSignal, key?: string): (() => void) | Promise<() => void>;
  /** Number of entries that have a place. */
  readonly running: number;
  /** Number of entries that wait for a place. */
  readonly waiting: number;
  /** Changes the limits. Running entries continue; waiting ones keep their original wait. */
  change(limits: ReplayLimits): void;
}

interface Waiter {
  readonly key: string | undefined;
  /** Moves the waiter from the queue to a place. */
  admit(): void;
}

/** Seconds after which a place may be free. */
const retryAfter = 5;

/** Makes an empty gate. */
export function createReplayGate(limits: ReplayLimits): ReplayGate {
  let bounds = limits;
  let running = 0;
  const [inside, queued] = [createTally(), createTally()];
  // A set keeps the order of arrival, and removes any waiter in constant time.
  const queue = new Set<Waiter>();

  /** Whether the key is below its half. */
  function hasShare(tally: typeof inside, key: string | undefined): boolean {
    return key === undefined || tally.of(key) < Math.max(1, Math.floor(bounds.replays / 2));
  }

  const isFree = (key: string | undefined): boolean => running < bounds.replays && hasShare(inside, key);

  function take(key: string | undefined): () => void {
    running++;
    if (key !== undefined) inside.add(key);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      running--;
      if (key !== undefined) inside.remove(key);
      admitNext();
    };
  }

  /** Called whenever a place may be free, so that no entry waits while one is. */
  function admitNext(): void {
    for (const waiter of queue) {
      if (running >= bounds.replays) return;
      if (isFree(waiter.key)) waiter.admit();
    }
  }

  function wait(signal: AbortSignal, key: string | undefined): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const leaveQueue = (): void => {
        queue.delete(waiter);
        if (key !== undefined) queued.remove(key);
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        key,
        admit() {
          leaveQueue();
          resolve(take(key));
        },
      };
      const abort = (): void => {
        leaveQueue();
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        leaveQueue();
        reject(busy());
      }, bounds.replayWait).unref();
      signal.addEventListener("abort", abort);
      queue.add(waiter);
      if (key !== undefined) queued.add(key);
    });
  }

  return {
    enter(signal, key) {
      if (isFree(key)) return take(key);
      if (queue.size >= bounds.replays || !hasShare(queued, key)) throw busy();
      const left = signal();
      left.throwIfAborted();
      return wait(left, key);
    },
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    change(next) {
      bounds = next;
      admitNext();
    },
  };
}

function busy(): SpillwayError {
  return new SpillwayError("replay-busy", undefined, { retryAfter });
}

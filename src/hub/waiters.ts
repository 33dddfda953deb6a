import { matches } from "../log/filter.ts";
import type { LogEvent, LogFilter } from "../log/log.ts";

interface Waiter {
  readonly filter: LogFilter | undefined;
  /** The first event that matches, once there is one. */
  found: number | undefined;
  settle(this: void): void;
}

/** The long polls and iterators that wait for new events. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();
  readonly #ready = new Set<Waiter>();

  /**
   * Resolves to the number before the first event that matches, or to `undefined` at {@link release} or when the signal
   * aborts.
   */
  wait(signal: AbortSignal, filter: LogFilter | undefined): Promise<number | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined);
      const waiter: Waiter = {
        filter,
        found: undefined,
        settle: () => {
          this.#waiting.delete(waiter);
          this.#ready.delete(waiter);
          signal.removeEventListener("abort", waiter.settle);
          resolve(waiter.found && waiter.found - 1);
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener("abort", waiter.settle);
    });
  }

  /** Wakes the waiters for these events. */
  take(events: readonly LogEvent[]): void {
    for (const waiter of this.#waiting) {
      const found = events.find((event) => matches(waiter.filter, event));
      if (found) this.#wake(waiter, found.seq);
    }
  }

  /** Wakes all waiters. */
  release(): void {
    for (const waiter of this.#waiting) this.#wake(waiter, undefined);
  }

  /** Wakes a waiter at the end of this turn of the event loop, so that several events wake it only once. */
  #wake(waiter: Waiter, found: number | undefined): void {
    waiter.found = found;
    this.#waiting.delete(waiter);
    if (this.#ready.size === 0) setImmediate(() => this.#settleReady());
    this.#ready.add(waiter);
  }

  #settleReady(): void {
    for (const waiter of this.#ready) waiter.settle();
  }
}

import { SpillwayError } from "../../errors.ts";

/** How long to wait for a place, in ms. */
const patience = 10_000;

/** A number of places, for which those wait in order who find none. */
export interface Places {
  /**
   * Takes a place.
   * @throws {SpillwayError} `store-unavailable` if none is given back in time; what `refuse` says.
   */
  take(): Promise<void>;
  /** Gives a place to who waits longest. */
  giveBack(): void;
  /** Sends away all who wait. */
  refuse(error: Error): void;
}

interface Waiter {
  take(): void;
  fail(error: Error): void;
}

/** Makes `max` free places; `name` is what they are of, for messages. */
export function createPlaces(max: number, name: string): Places {
  const waiting = new Set<Waiter>();
  let taken = 0;

  function wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        take() {
          leave();
          resolve();
        },
        fail(error) {
          leave();
          reject(error);
        },
      };
      const busy = new SpillwayError("store-unavailable", `${name}: all ${max} connections are busy`);
      const timer = setTimeout(() => waiter.fail(busy), patience);
      const leave = (): void => {
        clearTimeout(timer);
        waiting.delete(waiter);
      };
      waiting.add(waiter);
    });
  }

  return {
    async take() {
      if (taken >= max) return wait();
      taken++;
    },
    giveBack() {
      const [next] = waiting;
      // The place is handed over, not given back, so that nobody slips in between.
      if (next) next.take();
      else taken--;
    },
    refuse(error) {
      for (const waiter of waiting) waiter.fail(error);
    },
  };
}

import { SpillwayError } from "../errors.ts";
import { createTally } from "../util/tally.ts";

/** What the bodies of all requests of a process take together, from their first byte until the request is answered. */
export interface BodyBudget {
  /** Begins a body; `key` identifies a client, which may use at most half of the budget. */
  open(key: string | undefined): BodyShare;
  /** Bytes that are taken now. */
  readonly bytes: number;
  /** Takes another bound from now on; what is taken stays. */
  change(max: number): void;
}

/** The part of one body. */
export interface BodyShare {
  /**
   * Takes the given number of further bytes.
   * @throws {SpillwayError} `overloaded` with `retryAfter`: there is no room for them.
   */
  take(this: void, bytes: number): void;
  /** Gives back what was taken. Idempotent. */
  close(): void;
}

/** Seconds after which bodies may have ended. */
const retryAfter = 5;

/** Makes a budget of `max` bytes of which nothing is taken. */
export function createBodyBudget(max: number): BodyBudget {
  let bound = max;
  let bytes = 0;
  const byKey = createTally();

  function hasRoom(more: number, key: string | undefined): boolean {
    return bytes + more <= bound && (key === undefined || byKey.of(key) + more <= bound / 2);
  }

  return {
    open(key) {
      let taken = 0;
      return {
        take(more) {
          if (!hasRoom(more, key)) throw new SpillwayError("overloaded", busy, { retryAfter });
          taken += more;
          bytes += more;
          if (key !== undefined) byKey.add(key, more);
        },
        close() {
          bytes -= taken;
          if (key !== undefined && taken > 0) byKey.remove(key, taken);
          taken = 0;
        },
      };
    },
    get bytes() {
      return bytes;
    },
    change(next) {
      bound = next;
    },
  };
}

const busy = "the bodies of the requests under way take all the memory that they may (limits.bodies)";

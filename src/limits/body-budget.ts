import { SpillwayError } from "../errors.ts";
import { createTally } from "../util/tally.ts";

/** Limits the memory for the request bodies of a process, which count from their first byte until the response. */
export interface BodyBudget {
  /** Begins a body; `key` identifies a client, which may use at most half of the budget. */
  open(key: string | undefined): BodyShare;
  /** Bytes in use now. */
  readonly bytes: number;
  /** Changes the limit. Bytes in use are not affected. */
  change(max: number): void;
}

/** The share of one body. */
export interface BodyShare {
  /**
   * Takes this many more bytes.
   * @throws {SpillwayError} `overloaded` with `retryAfter`: there is no room for them.
   */
  take(this: void, bytes: number): void;
  /** Releases the bytes. Idempotent. */
  close(): void;
}

/** Seconds after which other bodies may have been processed. */
const retryAfter = 5;

/** Makes an unused budget of `max` bytes. */
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

const busy = "the request bodies in progress use all the memory that limits.bodies allows";

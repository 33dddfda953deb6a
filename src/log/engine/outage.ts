import type { Logger } from "../../util/logger.ts";
import type { StoreConnection } from "../log.ts";

/**
 * Knows whether a store's engine can be reached, by what its connections and tails tell of themselves. Says in the log when that
 * changes, once for all of them.
 */
export interface Outage {
  /** One of them cannot reach it; `why` goes into the log. */
  failed(one: object, why: object): void;
  /** One of them reaches it. */
  works(one: object): void;
  /** A tail has got an answer: from now on one is expected every few seconds. */
  heard(tail: object): void;
  /** One of them is no more. */
  forget(one: object): void;
  connection(): StoreConnection;
}

/** Makes the outage of a store: there is none yet. `fields` go into each line of the log. */
export function createOutage(logger: Logger, fields: object = {}): Outage {
  const failing = new Set<object>();
  const heardAt = new Map<object, number>();
  let reconnects = 0;
  return {
    failed(one, why) {
      if (failing.size === 0) logger.warn({ ...fields, ...why }, "the log cannot be reached");
      else logger.debug({ ...fields, ...why }, "the log cannot be reached yet");
      failing.add(one);
    },
    works(one) {
      if (!failing.delete(one) || failing.size > 0) return;
      reconnects++;
      logger.info(fields, "the log can be reached again");
    },
    heard: (tail) => void heardAt.set(tail, performance.now()),
    forget(one) {
      failing.delete(one);
      heardAt.delete(one);
    },
    connection() {
      const now = performance.now();
      return { connected: failing.size === 0, silence: now - Math.min(now, ...heardAt.values()), reconnects };
    },
  };
}

import { idempotencyAge, isOverfull, keyName, type RememberedAppend, surplusKeys } from "../idempotency.ts";
import type { Idempotency } from "../log.ts";

/** The idempotency keys of one stream. */
export interface IdempotencyKeys {
  /** What was appended under a key at most 24 h before `now`. */
  get(idempotency: Idempotency, now: number): RememberedAppend | undefined;
  /** Remembers a key, and forgets others if there are more than `max`. */
  set(idempotency: Idempotency, append: RememberedAppend, max: number): void;
}

/** Makes an empty set of keys. */
export function createIdempotencyKeys(): IdempotencyKeys {
  // A map iterates in the order of insertion, so the oldest key is its first.
  const keys = new Map<string, RememberedAppend>();

  function prune(now: number): void {
    for (const [key, { time }] of keys) {
      if (time > now - idempotencyAge) return;
      keys.delete(key);
    }
  }

  return {
    get(idempotency, now) {
      prune(now);
      return keys.get(keyName(idempotency));
    },
    set(idempotency, append, max) {
      keys.set(keyName(idempotency), append);
      if (isOverfull(keys.size, max)) for (const name of surplusKeys([...keys.keys()], max)) keys.delete(name);
    },
  };
}

import { idempotencyAge, type RememberedAppend } from "../idempotency.ts";

/** The idempotency keys of one stream. */
export interface IdempotencyKeys {
  /** What was appended under a key at most 24 h before `now`. */
  get(key: string, now: number): RememberedAppend | undefined;
  set(key: string, append: RememberedAppend): void;
}

/** Bounds the memory of a stream whose publishers use a new key for every event: beyond it the oldest key goes. */
const maxKeys = 100_000;

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
    get(key, now) {
      prune(now);
      return keys.get(key);
    },
    set(key, append) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value!);
      keys.set(key, append);
    },
  };
}

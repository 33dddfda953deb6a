import { monotonicMs } from "./durations.ts";

/** An entry of an {@link ExpiringMap}. */
export interface ExpiringEntry<T> {
  readonly value: T;
  /** When it was set, by {@link monotonicMs}. */
  readonly setAt: number;
}

/** A map whose values all have the same lifetime. Removing an expired value takes constant time and needs no timer. */
export interface ExpiringMap<T> {
  /** The entry of a key that has not expired. */
  get(key: string): ExpiringEntry<T> | undefined;
  /** Sets a value, whose life starts now. If the map is full, the entry that would expire first is removed. */
  set(key: string, value: T): void;
  delete(key: string): void;
  /** Entries that have not expired. */
  readonly size: number;
}

export interface ExpiringMapOptions<T> {
  /** How long a value lives, in ms. */
  readonly ttl: number;
  /** Maximum number of entries. */
  readonly max: number;
  /** Called for each entry that is removed or replaced. */
  readonly onRemove?: (value: T) => void;
}

/** Makes an empty {@link ExpiringMap}. */
export function createExpiringMap<T>({ ttl, max, onRemove }: ExpiringMapOptions<T>): ExpiringMap<T> {
  // The order of insertion is the order of expiry. `lru-cache` would have to scan all entries for expired ones.
  const entries = new Map<string, ExpiringEntry<T>>();
  const remove = (key: string): void => {
    const entry = entries.get(key);
    if (entry && entries.delete(key)) onRemove?.(entry.value);
  };
  const removeExpired = (): void => {
    const now = monotonicMs();
    for (const [key, { setAt }] of entries) {
      if (setAt + ttl > now) break;
      remove(key);
    }
  };
  return {
    delete: remove,
    get(key) {
      removeExpired();
      return entries.get(key);
    },
    set(key, value) {
      removeExpired();
      remove(key);
      const [oldest] = entries.keys();
      if (oldest !== undefined && entries.size >= max) remove(oldest);
      entries.set(key, { value, setAt: monotonicMs() });
    },
    get size() {
      removeExpired();
      return entries.size;
    },
  };
}

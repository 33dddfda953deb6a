/** How many there are under each key. A key with nobody takes no memory. */
export interface Tally {
  of(key: string): number;
  add(key: string): void;
  /** Takes back one `add`. */
  remove(key: string): void;
  /** Keys with somebody. */
  readonly size: number;
}

/** Makes an empty tally. */
export function createTally(): Tally {
  const counts = new Map<string, number>();
  return {
    of: (key) => counts.get(key) ?? 0,
    add(key) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    remove(key) {
      const count = counts.get(key) ?? 0;
      if (count > 1) counts.set(key, count - 1);
      else counts.delete(key);
    },
    get size() {
      return counts.size;
    },
  };
}

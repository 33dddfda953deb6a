/** A counter for each key. A key whose count is zero takes no memory. */
export interface Tally {
  of(key: string): number;
  /** Adds one, or `count`. */
  add(key: string, count?: number): void;
  /** Subtracts what was added. */
  remove(key: string, count?: number): void;
  /** Keys whose count is above zero. */
  readonly size: number;
}

/** Makes an empty tally. */
export function createTally(): Tally {
  const counts = new Map<string, number>();
  return {
    of: (key) => counts.get(key) ?? 0,
    add(key, count = 1) {
      counts.set(key, (counts.get(key) ?? 0) + count);
    },
    remove(key, count = 1) {
      const left = (counts.get(key) ?? 0) - count;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    },
    get size() {
      return counts.size;
    },
  };
}

import { maxAlike } from "../log.ts";

/**
 * Where ids are in a log, kept in memory: of each id the latest number, and of one that several events have the others too, as a chain
 * from the first on. What lies before the log's first event is removed as the index changes.
 */
export interface IdIndex<Key> {
  /** Takes note of the next event with an id. Numbers increase from call to call. */
  add(key: Key, seq: number, earliest: number): void;
  /** The numbers of the first {@link maxAlike} events from `earliest` on, in order. */
  first(key: Key, earliest: number): number[];
  /** The latest number, if it is not before `earliest`. */
  latest(key: Key, earliest: number): number | undefined;
  /** Removes what is before `earliest`. */
  trim(earliest: number): void;
  clear(): void;
}

/** Makes an empty index. */
export function createIdIndex<Key>(): IdIndex<Key> {
  /** In the order of the numbers, so that trimming looks at no more than it removes. */
  const latests = new Map<Key, number>();
  /** Only of ids that several events have. */
  const firsts = new Map<Key, number>();
  /** From each event's number to that of the next one with its id. */
  const following = new Map<number, number>();

  function firstFrom(key: Key, earliest: number): number | undefined {
    let seq = firsts.get(key) ?? latests.get(key);
    while (seq !== undefined && seq < earliest) {
      const next = following.get(seq);
      following.delete(seq);
      seq = next;
    }
    if (firsts.has(key)) {
      if (seq === undefined || seq === latests.get(key)) firsts.delete(key);
      else firsts.set(key, seq);
    }
    return seq;
  }

  return {
    add(key, seq, earliest) {
      const before = latests.get(key);
      if (before !== undefined) {
        const first = firstFrom(key, earliest);
        latests.delete(key);
        if (first !== undefined) {
          firsts.set(key, first);
          following.set(before, seq);
        }
      }
      latests.set(key, seq);
    },
    first(key, earliest) {
      const numbers: number[] = [];
      for (let seq = firstFrom(key, earliest); seq !== undefined && numbers.length < maxAlike; seq = following.get(seq))
        numbers.push(seq);
      return numbers;
    },
    latest(key, earliest) {
      const seq = latests.get(key);
      return seq !== undefined && seq >= earliest ? seq : undefined;
    },
    trim(earliest) {
      for (const [key, seq] of latests) {
        if (seq >= earliest) return;
        firstFrom(key, earliest);
        latests.delete(key);
      }
    },
    clear() {
      latests.clear();
      firsts.clear();
      following.clear();
    },
  };
}

/**
 * Subscribers served before the event loop gets a turn: about half a millisecond of work. A turn accepts one connection, so long
 * ones hold up everyone who comes. Measured: 10,000 clients connect at 4,500/s under live load, at 3,900/s with 512; the cost per
 * delivery is the same.
 */
export const sliceSize = 64;

/**
 * Calls `visit` for every item, `size` at a time, and lets the event loop turn between slices, so that no long pass starves
 * accepts and timers. Items added to a `Set` or `Map` meanwhile are visited too, removed ones are not.
 */
export function inSlices<T>(items: Iterable<T>, size: number, visit: (item: T) => void, done: () => void): void {
  const iterator: Iterator<T, unknown> = items[Symbol.iterator]();
  const slice = (): void => {
    for (let n = 0; n < size; n++) {
      const next = iterator.next();
      if (next.done) return done();
      visit(next.value);
    }
    setImmediate(slice);
  };
  slice();
}

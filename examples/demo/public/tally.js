/**
 * Counts the events of a numbered stream. The numbers are the source's own, so that what is counted here includes everything
 * between the source and this page.
 */
export function createTally() {
  return {
    /** The numbers of the first and the last event; `undefined` before the first one. */
    first: undefined,
    last: undefined,
    received: 0,
    /** Events that are missing although no gap was announced. */
    missing: 0,
    /** Events that are missing, and were announced as a gap. */
    announced: 0,
    twice: 0,
    expectsGap: false,

    /** @param {number} n The number of an event. Returns false if it was received before. */
    add(n) {
      this.received++;
      this.first ??= n;
      if (n <= this.last) {
        this.twice++;
        return false;
      }
      if (this.last !== undefined) this[this.expectsGap ? "announced" : "missing"] += n - this.last - 1;
      this.expectsGap = false;
      this.last = n;
      return true;
    },
  };
}

import { nowMicros } from "./clock.js";
import { Histogram } from "./histogram.js";

/** @typedef {import("./reader.js").Reader} Reader */

/** Connections with the same purpose, counted together. */
export class Group {
  /** The number of every connection's first event; 0 if any may be the first. */
  first;
  /** Whether readers record ids. */
  wantsIds;
  /** Only the response heads are read. */
  stalled;
  /** @type {Reader[]} */
  readers = [];
  /** The time of the read that is being processed, in µs. */
  now = 0;
  /** Number of responses with a complete head, and of those without status 200. */
  answered = 0;
  refused = 0;
  /** Connections that ended unexpectedly. */
  closed = 0;
  received = 0;
  firstAt = 0;
  lastAt = 0;
  /** Called when a response head is complete. */
  onAnswer = () => {};

  #lost = 0;
  #duplicates = 0;
  #disordered = 0;
  #latency = new Histogram();
  /** The number of the last event, once it is known, and how many connections have not received it yet. */
  #last = Infinity;
  #waiting = 0;
  #onComplete = () => {};

  /** @param {{ first?: number, wantsIds?: boolean, stalled?: boolean }} options */
  constructor({ first = 0, wantsIds = false, stalled = false }) {
    this.first = first;
    this.wantsIds = wantsIds;
    this.stalled = stalled;
  }

  /** @param {Reader} reader */
  onHead(reader) {
    this.answered++;
    if (reader.status !== 200) this.refused++;
    this.onAnswer();
  }

  /** A connection ended by itself. @param {Reader} reader */
  onClose(reader) {
    this.closed++;
    if (reader.status === 0) {
      reader.status = -1;
      this.onHead(reader);
    }
    this.#finish(reader);
  }

  /**
   * @param {Reader} reader
   * @param {number} n
   * @param {number} time when the event was made, in ns
   */
  onEvent(reader, n, time) {
    this.received++;
    this.#latency.add(this.now - time / 1000);
    if (n === reader.next || reader.next === 0) reader.next = n + 1;
    else this.#outOfTurn(reader, n);
    if (n >= this.#last) this.#finish(reader);
  }

  /** @param {Reader} reader @param {number} n */
  #outOfTurn(reader, n) {
    if (n > reader.next) {
      this.#lost += n - reader.next;
      reader.holes ??= new Set();
      for (let hole = reader.next; hole < n && reader.holes.size < 10_000; hole++) reader.holes.add(hole);
      reader.next = n + 1;
    } else if (reader.holes?.delete(n)) {
      this.#lost--;
      this.#disordered++;
    } else this.#duplicates++;
  }

  /**
   * Resolves once every connection has received this event or has ended; false if that takes longer than `timeout` ms.
   * @param {number} last
   * @param {number} timeout
   */
  async completed(last, timeout) {
    this.#last = last;
    this.#waiting = 0;
    for (const reader of this.readers) {
      reader.done = reader.next > last || reader.status === -1;
      if (!reader.done) this.#waiting++;
    }
    if (this.#waiting === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeout);
      this.#onComplete = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** @param {Reader} reader */
  #finish(reader) {
    if (reader.done) return;
    reader.done = true;
    if (--this.#waiting === 0) this.#onComplete();
  }

  /** Resets counts and times, but keeps earlier losses and duplicates. */
  mark() {
    this.received = this.firstAt = this.lastAt = 0;
    this.#latency.reset();
  }

  report() {
    return {
      connections: this.readers.length,
      received: this.received,
      lost: this.#lost + this.#missing(),
      duplicates: this.#duplicates,
      disordered: this.#disordered,
      refused: this.refused,
      closed: this.closed,
      firstAt: this.firstAt,
      lastAt: this.lastAt,
      p50: this.#latency.quantile(0.5) / 1000,
      p99: this.#latency.quantile(0.99) / 1000,
      p999: this.#latency.quantile(0.999) / 1000,
      max: this.#latency.max / 1000,
    };
  }

  /** Events that are missing at the end of each connection. */
  #missing() {
    if (this.#last === Infinity) return 0;
    return this.readers.reduce((sum, { next }) => sum + Math.max(0, this.#last + 1 - (next || this.#last)), 0);
  }

  /** Records a read. */
  begin() {
    this.now = nowMicros();
  }

  /** Takes note of the deliveries that the read brought. @param {number} before what `received` was */
  end(before) {
    if (this.received === before) return;
    if (this.firstAt === 0) this.firstAt = this.now;
    this.lastAt = this.now;
  }
}

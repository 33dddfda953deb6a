/** A store of logs that is not part of Spillway: an array per stream, in memory. It uses public imports only. */
import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { SpillwayError } from "spillway";
import { createWatchers, eventBytes, idempotencyAge, keyName, matches, maxAlike, replayAppend } from "spillway/log";

/** Maximum number of events that are examined in one step: `read` must not block the event loop for long. */
const stepEvents = 1000;
const trimInterval = 1000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * @param {{ now?: () => number, logger?: import("spillway").Logger }} [options] `now` is the clock, in ms since 1970.
 * @returns {import("spillway/log").LogStore}
 */
export function createArrayStore({ now = Date.now, logger = silent } = {}) {
  /** @type {Map<string, ArrayLog>} */
  const logs = new Map();
  let closed = false;
  const host = { now, logger, isClosed: () => closed };
  const trimming = setInterval(() => logs.forEach((log) => log.trimNow()), trimInterval).unref();

  return {
    kind: "array",
    async open(stream, { retention }) {
      if (closed) throw new SpillwayError("store-closed");
      const log = logs.get(stream) ?? new ArrayLog(stream, host);
      logs.set(stream, log);
      log.retention = retention; // reopening a stream applies its new retention
      return log;
    },
    async close() {
      closed = true;
      clearInterval(trimming);
    },
  };
}

/** @implements {import("spillway/log").Log} */
class ArrayLog {
  /** @type {import("spillway/log").Retention} */
  retention;
  /** A new token for each log, so that cursors of a lost log are not valid for this one. */
  epoch = randomBytes(6).toString("hex");
  /** The retained events. `#events[0]` has the number `#earliest`. */
  #events = [];
  #earliest = 1;
  #bytes = 0;
  #lastTime = 0;
  #upstreamCursor;
  /** Appends with an idempotency key, by the name of the key, oldest first. */
  #keys = new Map();
  /** The results of appends with a retry token. */
  #tokens = new WeakMap();
  #watchers;
  #host;

  constructor(stream, host) {
    this.stream = stream;
    this.#host = host;
    this.#watchers = createWatchers(stream, host.logger);
  }

  /** The number of the last event. */
  get #head() {
    return this.#earliest + this.#events.length - 1;
  }

  state() {
    return {
      head: this.#head,
      earliest: this.#earliest,
      upstreamCursor: this.#upstreamCursor,
      events: this.#events.length,
      bytes: this.#bytes,
      lastTime: this.#lastTime,
    };
  }

  /** Appends synchronously, so batches are atomic and in the order of the calls, and the outcome is always known. */
  async append(batch, { upstreamCursor, idempotency, retryToken } = {}) {
    this.#assertOpen();
    const known = (retryToken && this.#tokens.get(retryToken)) ?? (idempotency && this.#replay(idempotency));
    if (known) return known;
    const time = Math.max(this.#lastTime, this.#host.now()); // never decreases, even if the clock does
    const first = this.#head + 1;
    const events = batch.map((event, index) => Object.freeze({ ...event, seq: first + index, time }));
    for (const event of events) {
      this.#events.push(event);
      this.#bytes += eventBytes(event);
    }
    if (events.length > 0) this.#lastTime = time;
    if (upstreamCursor !== undefined) this.#upstreamCursor = upstreamCursor || undefined;
    const appended = { first, last: this.#head, replayed: false };
    if (retryToken) this.#tokens.set(retryToken, appended);
    if (idempotency) this.#remember(idempotency, appended);
    if (events.length > 0) this.#watchers.notify({ head: this.#head, earliest: this.#earliest, events });
    return appended;
  }

  #replay(idempotency) {
    const remembered = this.#keys.get(keyName(idempotency));
    const isCurrent = remembered && this.#host.now() - remembered.time < idempotencyAge;
    return isCurrent ? replayAppend(remembered, idempotency.fingerprint) : undefined;
  }

  #remember(idempotency, { first, last }) {
    const { owner = "", fingerprint } = idempotency;
    this.#keys.delete(keyName(idempotency)); // remove an expired key, so that the new one is last
    this.#keys.set(keyName(idempotency), { owner, fingerprint, first, last, time: this.#host.now() });
  }

  async read(after, { filter, limit, maxBytes = Infinity }) {
    this.#assertOpen();
    const events = [];
    let bytes = 0;
    let scanned = Math.max(after, this.#earliest - 1);
    const end = Math.min(this.#head, scanned + stepEvents);
    while (scanned < end && events.length < limit && bytes < maxBytes) {
      const event = this.#events[++scanned - this.#earliest];
      if (!matches(filter, event)) continue;
      events.push(event);
      bytes += eventBytes(event);
    }
    return { events, scanned, earliest: this.#earliest };
  }

  async find(position, { signal } = {}) {
    this.#assertOpen();
    if ("since" in position) {
      return (this.#events.find(({ time }) => time >= position.since)?.seq ?? this.#head + 1) - 1;
    }
    if ("last" in position) return this.#findLast(position, signal);
    if ("sourceId" in position) {
      return this.#events.findLast((event) => !event.published && event.upstreamId === position.sourceId)?.seq;
    }
    const { upstreamId, published = false, filter } = position;
    const alike = (event) => event.upstreamId === upstreamId && (published || !event.published);
    return this.#events
      .filter(alike)
      .slice(0, maxAlike)
      .find((event) => matches(filter, event))?.seq;
  }

  /** Searches backwards from the head, and yields to the event loop between steps, so that the signal can abort the search. */
  async #findLast({ last, filter }, signal) {
    if (!filter) return Math.max(this.#earliest - 1, this.#head - Math.max(last, 0));
    let [start, left] = [this.#head, last];
    for (let seq = start; left > 0 && seq >= this.#earliest; seq--) {
      if (seq % stepEvents === 0) await setImmediate(undefined, { signal });
      const event = this.#events[seq - this.#earliest];
      if (event && matches(filter, event)) [start, left] = [seq - 1, left - 1];
    }
    return start;
  }

  watch(listener) {
    return this.#watchers.add(listener);
  }

  async trim() {
    this.#assertOpen();
    return this.trimNow();
  }

  /** Removes events and keys beyond the retention limits. Returns the number of events removed. */
  trimNow() {
    this.#trimKeys();
    const { age = Infinity, events: most = Infinity, bytes = Infinity } = this.retention;
    const since = this.#host.now() - age;
    let count = 0;
    for (const event of this.#events) {
      if (this.#events.length - count <= most && this.#bytes <= bytes && event.time >= since) break;
      this.#bytes -= eventBytes(event);
      count++;
    }
    this.#events.splice(0, count);
    this.#earliest += count;
    if (count > 0) this.#watchers.notify({ head: this.#head, earliest: this.#earliest });
    return count;
  }

  /** Removes keys older than 24 h and, beyond `retention.keys`, the oldest keys of the owner with the most keys. */
  #trimKeys() {
    const owners = new Map();
    for (const [name, { owner, time }] of this.#keys) {
      if (this.#host.now() - time >= idempotencyAge) this.#keys.delete(name);
      else if (owners.has(owner)) owners.get(owner).push(name);
      else owners.set(owner, [name]);
    }
    while (this.#keys.size > (this.retention.keys ?? Infinity)) {
      const most = [...owners.values()].reduce((a, b) => (b.length > a.length ? b : a));
      this.#keys.delete(most.shift());
    }
  }

  #assertOpen() {
    if (this.#host.isClosed()) throw new SpillwayError("store-closed");
  }
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import { eventBytes } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import { createIdIndex } from "../engine/id-index.ts";
import { firstMatch } from "../engine/position.ts";
import { replayAppend } from "../idempotency.ts";
import { lastPosition } from "../last.ts";
import type {
  Appended,
  AppendOptions,
  FindOptions,
  Log,
  LogEvent,
  LogFilter,
  LogHint,
  LogPage,
  LogPosition,
  LogState,
  NewEvent,
  ReadOptions,
  Retention,
} from "../log.ts";
import { createWatchers, type Watchers } from "../watchers.ts";
import { createIdempotencyKeys } from "./idempotency-keys.ts";
import { createRing } from "./ring.ts";

/** What is looked at in one turn of the event loop, at most: less than a millisecond of work. */
const turnEvents = 4_096;

/** A stream's log in memory. A class, since everything it does is to change its own state. */
export class MemoryLog implements Log {
  readonly stream: string;
  readonly epoch: string = newEpoch();
  /** May change when the stream is opened again. */
  retention: Retention;

  readonly #now: () => number;
  readonly #watchers: Watchers;
  readonly #ring = createRing<LogEvent>();
  readonly #sourceIds = createIdIndex<string>();
  readonly #publisherIds = createIdIndex<string>();
  readonly #keys = createIdempotencyKeys();
  #earliest = 1;
  #bytes = 0;
  #lastTime = 0;
  #upstreamCursor: string | undefined;
  #closed = false;

  constructor(stream: string, retention: Retention, now: () => number, logger: Logger) {
    this.stream = stream;
    this.retention = retention;
    this.#now = now;
    this.#watchers = createWatchers(stream, logger);
  }

  state(): LogState {
    return {
      head: this.#head(),
      earliest: this.#earliest,
      upstreamCursor: this.#upstreamCursor,
      events: this.#ring.length,
      bytes: this.#bytes,
      lastTime: this.#lastTime,
    };
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#assertOpen();
    const { idempotency, upstreamCursor } = options;
    const now = this.#now();
    const remembered = idempotency && this.#keys.get(idempotency, now);
    if (remembered) return replayAppend(remembered, idempotency.fingerprint);

    const first = this.#head() + 1;
    const logged = this.#push(events, now);
    const last = this.#head();
    if (upstreamCursor !== undefined) this.#upstreamCursor = upstreamCursor === "" ? undefined : upstreamCursor;
    if (idempotency) {
      const remember = { fingerprint: idempotency.fingerprint, first, last, time: now };
      this.#keys.set(idempotency, remember, this.retention.keys ?? Infinity);
    }
    if (logged.length > 0) {
      this.#removeExpired(now);
      this.#watchers.notify({ head: last, earliest: this.#earliest, events: logged });
    }
    return { first, last, replayed: false };
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    this.#assertOpen();
    const { filter, limit, maxBytes = Infinity } = options;
    const events: LogEvent[] = [];
    let bytes = 0;
    let scanned = Math.max(after, this.#earliest - 1);
    const [head, earliest] = [this.#head(), this.#earliest];
    for (const end = Math.min(head, scanned + turnEvents); scanned < end && events.length < limit;) {
      const event = this.#at(++scanned);
      if (!matches(filter, event)) continue;
      events.push(event);
      bytes += eventBytes(event);
      if (bytes >= maxBytes) break;
    }
    // Who looks for something rare comes back at once.
    if (events.length === 0 && scanned < head) await nextTurn();
    return { events, scanned, earliest };
  }

  async find(position: LogPosition, { signal }: FindOptions = {}): Promise<number | undefined> {
    this.#assertOpen();
    if ("sourceId" in position) return this.#sourceIds.latest(position.sourceId, this.#earliest);
    if ("upstreamId" in position) return this.#firstWithId(position);
    if ("since" in position) return this.#before(position.since);
    const { last, filter } = position;
    return filter === undefined ? lastPosition(this.state(), last) : this.#beforeLast(last, filter, signal);
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    this.#assertOpen();
    return this.removeExpired();
  }

  /** Applies retention now, and tells the watchers if it removed anything. Returns the number of events removed. */
  removeExpired(): number {
    const removed = this.#removeExpired(this.#now());
    if (removed > 0) this.#watchers.notify({ head: this.#head(), earliest: this.#earliest });
    return removed;
  }

  /** Refuses whatever comes later. */
  close(): void {
    this.#closed = true;
    this.#watchers.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpillwayError("store-closed");
  }

  #head(): number {
    return this.#earliest + this.#ring.length - 1;
  }

  #at(seq: number): LogEvent {
    return this.#ring.at(seq - this.#earliest);
  }

  /** Numbers and keeps a batch. Sizes come first: they throw for what is no text, and a batch goes in whole or not at all. */
  #push(events: readonly NewEvent[], now: number): LogEvent[] {
    const bytes = events.reduce((sum, event) => sum + eventBytes(event), 0);
    const first = this.#head() + 1;
    const time = Math.max(now, this.#lastTime);
    const logged = events.map(({ event, data, channel, upstreamId, published }, index) => ({
      seq: first + index,
      time,
      event,
      data,
      channel,
      upstreamId,
      published,
    }));
    for (const event of logged) {
      this.#ring.push(event);
      const { upstreamId, published, seq } = event;
      const ids = published ? this.#publisherIds : this.#sourceIds;
      if (upstreamId !== undefined) ids.add(upstreamId, seq, this.#earliest);
    }
    this.#bytes += bytes;
    if (logged.length > 0) this.#lastTime = time;
    return logged;
  }

  #removeExpired(now: number): number {
    const { age = Infinity, events = Infinity, bytes = Infinity } = this.retention;
    let removed = 0;
    while (
      this.#ring.length > 0 &&
      (this.#ring.length > events || this.#bytes > bytes || this.#ring.at(0).time < now - age)
    ) {
      this.#bytes -= eventBytes(this.#ring.shift());
      this.#earliest++;
      removed++;
    }
    if (removed > 0) for (const ids of [this.#sourceIds, this.#publisherIds]) ids.trim(this.#earliest);
    return removed;
  }

  #firstWithId({ upstreamId, published, filter }: Extract<LogPosition, { upstreamId: string }>): number | undefined {
    const indexes = published ? [this.#sourceIds, this.#publisherIds] : [this.#sourceIds];
    return firstMatch(
      indexes.map((ids) => ids.first(upstreamId, this.#earliest).map((seq) => this.#at(seq))),
      filter,
    );
  }

  /** Times never decrease, so the first event at or after a time is found by halving. */
  #before(since: number): number {
    let low = this.#earliest;
    let high = this.#head() + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#at(middle).time < since) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async #beforeLast(last: number, filter: LogFilter, signal: AbortSignal | undefined): Promise<number> {
    let left = last;
    let found = this.#head();
    for (let seq = found; seq >= this.#earliest && left > 0; seq--) {
      if (seq % turnEvents === 0) {
        await nextTurn();
        signal?.throwIfAborted();
        if (seq < this.#earliest) break;
      }
      if (!matches(filter, this.#at(seq))) continue;
      found = seq - 1;
      left--;
    }
    return found;
  }
}

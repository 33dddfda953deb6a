import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { toLogState } from "../event-bytes.ts";
import type {
  Appended,
  AppendOptions,
  FindOptions,
  Log,
  LogEvent,
  LogHint,
  LogPage,
  LogPosition,
  LogState,
  NewEvent,
  ReadOptions,
  Retention,
} from "../log.ts";
import { AppendLedger } from "./append-ledger.ts";
import { type AppendQueue, createAppendQueue } from "./append-queue.ts";
import {
  type Batch,
  type LogDriver,
  LogReplacedError,
  type OpenedStream,
  type OpenLog,
  type StoredState,
} from "./driver.ts";
import { readPage } from "./page.ts";
import { lastPosition } from "../last.ts";
import { findPosition } from "./position.ts";
import { trimToEnd } from "./retention.ts";
import { createWatchers, type Watchers } from "../watchers.ts";

/** What a log needs of its store. */
export interface EngineLogDependencies {
  readonly now: () => number;
  readonly logger: Logger;
  /** Called once, when the store has another log of this stream. */
  onReplaced(log: EngineLog): void;
}

/** What is read at once of events that the watchers have not seen. */
const followRange = {
  direction: "forward",
  filter: undefined,
  limit: 1_000,
  maxBytes: 1024 * 1024,
  live: true,
} as const;

/** A stream's log over a driver. A class, since it keeps the state that the driver reports. */
export class EngineLog implements Log, OpenLog {
  readonly stream: string;
  readonly epoch: string;
  /** May change when the stream is opened again. */
  retention: Retention;
  readonly driver: LogDriver;

  readonly #dependencies: EngineLogDependencies;
  readonly #watchers: Watchers;
  readonly #ledger: AppendLedger;
  readonly #queue: AppendQueue<Batch>;
  readonly #unfollow: (() => void) | undefined;
  #known: StoredState;
  #position: number;
  #reading = false;
  #stale = false;
  #closed = false;
  /** What every call gets once the store has another log of this stream. */
  #replaced: SpillwayError | undefined;

  constructor(stream: string, opened: OpenedStream, retention: Retention, dependencies: EngineLogDependencies) {
    const { state } = opened;
    this.stream = stream;
    this.epoch = state.epoch;
    this.retention = retention;
    this.#known = state;
    this.#position = state.head;
    this.#dependencies = dependencies;
    this.#watchers = createWatchers(stream, dependencies.logger);
    this.driver = opened.createDriver(this);
    this.#ledger = new AppendLedger({
      driver: this.driver,
      onAppended: ({ state: after, events }) => after && this.observe(after, events),
      onReplaced: () => this.#endReplaced(),
    });
    this.#queue = createAppendQueue({
      send: (group) => this.#ledger.append(group),
      groupLength: this.driver.groupLength?.bind(this.driver),
    });
    this.#unfollow = opened.follow?.(this);
  }

  get known(): StoredState {
    return this.#known;
  }

  get position(): number {
    return this.#position;
  }

  get behind(): boolean {
    return this.#stale || this.#reading || this.#position < this.#known.head;
  }

  state(): LogState {
    return toLogState(this.#known);
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.assertUsable();
    events.forEach(assertTexts);
    return this.#queue.append({ events, options, clock: this.#dependencies.now() });
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    return this.#ask(() => readPage(this.driver, after, options));
  }

  async find(position: LogPosition, options?: FindOptions): Promise<number | undefined> {
    this.assertUsable();
    if ("last" in position && position.filter === undefined) return lastPosition(this.#known, position.last);
    return this.#ask(() => findPosition(this.driver, position, options));
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    return this.#ask(async () => {
      const removed = await trimToEnd(this, this.#dependencies.now());
      if (this.retention.keys !== undefined) await this.driver.boundKeys(this.retention.keys);
      return removed;
    });
  }

  observe(state: StoredState, events: readonly LogEvent[] = []): void {
    // Not every store counts a change of the upstream cursor alone.
    this.#take(state, events, state.revision >= this.#known.revision);
    if (this.#position < this.#known.head) this.catchUp();
  }

  catchUp(): void {
    this.#stale = true;
    if (!this.#reading) void this.#readOn();
  }

  replace(): void {
    this.#endReplaced();
  }

  /** Refuses whatever comes later. Appends under way end before the returned promise resolves. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ledger.hurry();
    await this.#queue.idle();
    this.#unfollow?.();
    this.#watchers.clear();
  }

  /** @throws {SpillwayError} where the log was closed or replaced. */
  assertUsable(): void {
    if (this.#replaced) throw this.#replaced;
    if (this.#closed) throw new SpillwayError("store-closed");
  }

  #endReplaced(): SpillwayError {
    if (this.#replaced) return this.#replaced;
    const message = `the store has another log of ${this.stream} now: open it again`;
    this.#replaced = new SpillwayError("store-unavailable", message);
    this.#unfollow?.();
    this.#watchers.clear();
    this.#dependencies.onReplaced(this);
    return this.#replaced;
  }

  /** Asks the driver, and refuses what it answers for a log that ended meanwhile. */
  async #ask<T>(call: () => Promise<T>): Promise<T> {
    this.assertUsable();
    let result: T;
    try {
      result = await call();
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      if (error instanceof LogReplacedError) this.#endReplaced();
      this.assertUsable();
      throw this.driver.failure(error).error;
    }
    this.assertUsable();
    return result;
  }

  /** Takes over a state if it is newer, and notifies the watchers of it and of the events. */
  #take(state: StoredState, events: readonly LogEvent[], isNewer: boolean): void {
    if (this.#replaced) return;
    if (state.epoch !== this.epoch) return this.replace();
    const { earliest } = this.#known;
    if (isNewer) this.#known = state;
    const follows = (): boolean => events[0] !== undefined && events[0].seq <= this.#position + 1;
    // Retention removed events that the watchers have not seen: a reader that wants them finds the hole itself.
    if (!follows()) this.#position = Math.max(this.#position, this.#known.earliest - 1);
    if (follows()) this.#notify(events);
    else if (this.#known.earliest !== earliest) this.#notifyOf(this.#position);
  }

  /** Reads what the watchers have not seen, step by step. */
  async #readOn(): Promise<void> {
    this.#reading = true;
    try {
      for (let before = -1; this.#mayReadOn(before);) {
        before = this.#position;
        this.#stale = false;
        const { state, events } = await this.driver.scan({ ...followRange, from: before });
        // A read may be processed behind the answer to a later append: with the same revision it is the older state.
        this.#take(state, events, state.revision > this.#known.revision);
      }
    } catch (error) {
      // The follower calls again.
      this.#stale = true;
      if (error instanceof LogReplacedError) this.replace();
    } finally {
      this.#reading = false;
    }
  }

  /** Whether another step may find something: what the last one should have found and did not is left to the follower's next call. */
  #mayReadOn(before: number): boolean {
    if (this.#replaced || this.#closed) return false;
    return this.#stale || (this.#position < this.#known.head && this.#position > before);
  }

  /** Notifies the watchers of those of the events that they have not seen. */
  #notify(events: readonly LogEvent[]): void {
    const fresh = events[0]!.seq > this.#position ? events : events.filter(({ seq }) => seq > this.#position);
    if (fresh.length > 0) this.#notifyOf(fresh.at(-1)!.seq, fresh);
  }

  #notifyOf(head: number, events?: readonly LogEvent[]): void {
    this.#position = head;
    const earliest = Math.min(this.#known.earliest, head + 1);
    this.#watchers.notify(events ? { head, earliest, events } : { head, earliest });
  }
}

/** An event without texts would spoil the group of its batch. */
function assertTexts({ event, data, channel = "", upstreamId = "" }: NewEvent): void {
  for (const text of [event, data, channel, upstreamId])
    if (typeof text !== "string") throw new TypeError(`an event consists of strings, got ${typeof text}`);
}

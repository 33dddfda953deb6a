import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import { textBytes, toLogState } from "../event-bytes.ts";
import { lastPosition } from "../last.ts";
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
import { createWatchers, type Watchers } from "../watchers.ts";
import { type Appender, createAppender } from "./appender.ts";
import type { RunStatement } from "./connections.ts";
import { readPage } from "./page.ts";
import { findPosition } from "./position.ts";
import type { Queries } from "./queries.ts";
import { createSnapshots, type ReadSnapshot } from "./snapshots.ts";
import type { StreamState } from "./streams.ts";

/** What a log needs of its store. */
export interface PostgresLogDependencies {
  readonly queries: Queries;
  /** Over the connections for reading, and over those for writing. */
  readonly read: RunStatement;
  readonly write: RunStatement;
  readonly now: () => number;
  readonly logger: Logger;
  /** Has the tail read on. */
  wake(log: PostgresLog): void;
  /** Told once, when this log is no longer the one that is stored. */
  onReplaced(log: PostgresLog): void;
  /** Applies retention to the end; resolves to the events removed. */
  trim(log: PostgresLog): Promise<number>;
}

/** How long to wait for the tail to come to an event that is known to be there, in ms. */
const patience = 10_000;

/** A stream's log in a PostgreSQL database. A class, since it keeps the state that the tail brings. */
export class PostgresLog implements Log {
  readonly stream: string;
  readonly epoch: string;
  readonly id: number;
  /** May change when the stream is opened again. */
  retention: Retention;

  readonly #dependencies: PostgresLogDependencies;
  readonly #watchers: Watchers;
  readonly #appender: Appender;
  readonly #read: ReadSnapshot;
  readonly #waiting = new Set<{ readonly head: number; resolve(): void }>();
  /** The latest row seen. It may be ahead of the events that have come. */
  #row: StreamState;
  /** The last event that has come, and its time. */
  #head: number;
  #lastTime: number;
  #earliest: number;
  /** Why calls are refused. */
  #refusal: "store-closed" | "store-unavailable" | undefined;

  constructor(stream: string, row: StreamState, retention: Retention, dependencies: PostgresLogDependencies) {
    this.stream = stream;
    this.epoch = row.epoch;
    this.id = row.id;
    this.retention = retention;
    this.#row = row;
    this.#head = row.head;
    this.#earliest = row.earliest;
    this.#lastTime = row.lastTime;
    this.#dependencies = dependencies;
    this.#watchers = createWatchers(stream, dependencies.logger);
    this.#appender = createAppender(this, dependencies);
    this.#read = createSnapshots(dependencies.read, dependencies.queries, this);
  }

  state(): LogState {
    const { upstreamCursor, bytes } = this.#row;
    return toLogState({
      head: this.#head,
      earliest: this.#earliest,
      upstreamCursor,
      bytes,
      lastTime: this.#lastTime,
    });
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.assertUsable();
    // Sizes come first: they throw for what is no text.
    const bytes = events.map(textBytes);
    return this.#appender.append({ events, bytes, options, clock: this.#dependencies.now() });
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    this.assertUsable();
    return readPage(this.#read, this.#dependencies.queries, after, options);
  }

  async find(position: LogPosition, options?: FindOptions): Promise<number | undefined> {
    this.assertUsable();
    if ("last" in position && position.filter === undefined) return lastPosition(this.state(), position.last);
    return findPosition(this.#read, this.#dependencies.queries, position, options);
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    this.assertUsable();
    return this.#dependencies.trim(this);
  }

  /** The last event that has come, by which every answer is held against what was known before. */
  known(): { readonly id: number; readonly head: number; readonly lastTime: number; readonly changes: number } {
    return { id: this.id, head: this.#head, lastTime: this.#lastTime, changes: this.#row.changes };
  }

  /** The head of the latest row seen, which may be ahead of the events that have come. */
  newest(): number {
    return this.#row.head;
  }

  /** Takes over a row, and those of the events behind the last one that has come; tells the watchers what is new. */
  take(row: StreamState, events: readonly LogEvent[]): void {
    if (row.changes > this.#row.changes) this.#row = row;
    const { earliest } = this.#row;
    // Retention took what has not come yet: whoever wanted it is told by a read of its own.
    if (earliest > this.#head + 1) this.#moveTo(earliest - 1, []);
    const fresh = events.filter(({ seq }) => seq > this.#head);
    if (fresh.length > 0) this.#moveTo(fresh.at(-1)!.seq, fresh);
    else if (this.#earliest !== earliest) this.#moveTo(this.#head, []);
    if (this.#row.head > this.#head) this.#dependencies.wake(this);
  }

  /** Resolves once all up to `head` has come, or will not come to this log any more; asks the tail for it. */
  async reached(head: number): Promise<boolean> {
    if (this.#head >= head || this.isReplaced()) return this.#head >= head;
    this.#dependencies.wake(this);
    await new Promise<void>((resolve) => {
      const entry = { head, resolve };
      this.#waiting.add(entry);
      const timer = setTimeout(() => {
        this.#waiting.delete(entry);
        resolve();
      }, patience);
      entry.resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return this.#head >= head;
  }

  /**
   * Gives the stream a new epoch, since it has lost events that were known here.
   * @returns the error for the caller that found out.
   */
  async lose(run: RunStatement): Promise<SpillwayError> {
    const { queries } = this.#dependencies;
    const [renewed] = await run(queries.renewEpoch(this.id, this.epoch, newEpoch(), this.#head, this.#lastTime));
    if (renewed) return this.replace();
    return new SpillwayError("store-unavailable", `the stream ${this.stream} was read from a server that lags behind`);
  }

  /** Ends this log, since another one is stored in its place. */
  replace(): SpillwayError {
    if (!this.isReplaced()) {
      this.#refusal = "store-unavailable";
      this.#end();
      this.#dependencies.onReplaced(this);
    }
    return this.#error();
  }

  /** Refuses whatever comes later; resolves once the appends under way have ended. */
  async close(): Promise<void> {
    this.#refusal ??= "store-closed";
    await this.#appender.close();
    this.#end();
  }

  /** @throws {SpillwayError} where the log was closed or replaced. */
  assertUsable(): void {
    if (this.#refusal) throw this.#error();
  }

  /** Whether another log is stored in place of this one. */
  isReplaced(): boolean {
    return this.#refusal === "store-unavailable";
  }

  #end(): void {
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
    this.#watchers.clear();
  }

  #error(): SpillwayError {
    if (this.#refusal === "store-closed") return new SpillwayError("store-closed");
    return new SpillwayError("store-unavailable", `the log of ${this.stream} was replaced by another: open it again`);
  }

  #moveTo(head: number, events: readonly LogEvent[]): void {
    this.#head = head;
    this.#earliest = Math.min(this.#row.earliest, head + 1);
    this.#lastTime = events.at(-1)?.time ?? (head === this.#row.head ? this.#row.lastTime : this.#lastTime);
    const hint = { head, earliest: this.#earliest };
    this.#watchers.notify(events.length > 0 ? { ...hint, events } : hint);
    for (const entry of this.#waiting) {
      if (entry.head > head) continue;
      this.#waiting.delete(entry);
      entry.resolve();
    }
  }
}

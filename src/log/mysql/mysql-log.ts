import type { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { toLogState } from "../event-bytes.ts";
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
import { type AppendQueue, createAppendQueue } from "./append-queue.ts";
import { createAppender } from "./appender.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Draft } from "./draft.ts";
import { replaceIfLost, selectTime, toTime } from "./epoch.ts";
import { failureError } from "./failure.ts";
import { readPage } from "./page.ts";
import { findPosition } from "./position.ts";
import type { Escape } from "./statements.ts";
import type { StreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";
import type { TailedLog } from "./tail.ts";
import type { TrimmedLog, Trimmer } from "./trimmer.ts";
import type { EventSource } from "./walk.ts";

/** What a log needs of its store. */
export interface MysqlLogDependencies {
  readonly tables: Tables;
  readonly escape: Escape;
  /** The database, for messages. */
  readonly place: string;
  readonly node: string;
  readonly readers: Connections;
  readonly writers: Connections;
  /** For the tail and for coordination, which wait for no one else. */
  readonly control: Connections;
  readonly trimmer: Trimmer;
  readonly now: () => number;
  readonly logger: Logger;
  /** Events were appended here. */
  onAppended(): void;
  /** The stream has another log now: this one is of no more use. */
  onLost(log: MysqlLog): void;
}

/** What the tail reads at once. */
const tailPage = { limit: 1_000, maxBytes: 1024 * 1024 };

/** A stream's log in a MySQL database. A class, since it keeps the state that it learns. */
export class MysqlLog implements Log, TailedLog, TrimmedLog {
  readonly stream: string;
  readonly epoch: string;
  readonly id: number;
  /** May change when the stream is opened again. */
  retention: Retention;

  readonly #dependencies: MysqlLogDependencies;
  readonly #watchers: Watchers;
  readonly #queue: AppendQueue;
  /** The latest row that is known. */
  #row: StreamRow;
  /** The last event that the watchers were told of. */
  #position: number;
  #reading = false;
  #suspected = false;
  /** Why it takes no more calls. */
  #ended: (() => SpillwayError) | undefined;

  constructor(stream: string, row: StreamRow, retention: Retention, dependencies: MysqlLogDependencies) {
    const { writers, tables, escape, place, node, logger } = dependencies;
    this.stream = stream;
    this.epoch = row.epoch;
    this.id = row.id;
    this.retention = retention;
    this.#row = row;
    this.#position = row.head;
    this.#dependencies = dependencies;
    this.#watchers = createWatchers(stream, logger);
    const appender = createAppender({
      connections: writers,
      tables,
      escape,
      place,
      node,
      known: () => this.#row,
      onCommitted: (draft) => this.#committed(draft),
      onLost: () => dependencies.onLost(this),
    });
    this.#queue = createAppendQueue((requests) => appender.append(requests));
  }

  get revision(): number {
    return this.#row.revision;
  }

  state(): LogState {
    return toLogState(this.#row);
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#assertOpen();
    const request = { events, options, now: this.#dependencies.now() };
    return new Promise((resolve, reject) => {
      this.#queue.push({
        request,
        settle(outcome) {
          if ("code" in outcome) reject(failureError(outcome));
          else resolve({ first: outcome.first, last: outcome.last, replayed: outcome.replayed });
        },
      });
    });
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    this.#assertOpen();
    return this.#whileOpen(readPage(this.#source(this.#dependencies.readers), after, options));
  }

  async find(position: LogPosition, options?: FindOptions): Promise<number | undefined> {
    this.#assertOpen();
    if ("last" in position && position.filter === undefined) return lastPosition(this.#row, position.last);
    return this.#whileOpen(findPosition(this.#source(this.#dependencies.readers), position, options));
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    this.#assertOpen();
    const { trimmer, now } = this.#dependencies;
    const removed = await trimmer.trim(this, now());
    await trimmer.boundKeys(this);
    return removed;
  }

  /** Resolves once nothing is being appended. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Refuses whatever comes later, with the error that `why` makes; appends under way still end. */
  end(why: () => SpillwayError): void {
    this.#ended ??= why;
  }

  onTrimmed(row: StreamRow): void {
    this.observe(row, 0);
  }

  observe(row: StreamRow | undefined, asked: number): boolean {
    if (this.#ended) return false;
    if (row?.epoch !== this.epoch || row.revision < asked) {
      void this.#suspect(row?.epoch === this.epoch);
      return false;
    }
    const moved = row.revision > this.#row.revision;
    if (moved) this.#take(row);
    void this.#readOn();
    return moved;
  }

  async verify(connection: Connection): Promise<void> {
    if (this.#ended) return;
    const { head, lastTime } = this.#row;
    const time = toTime(await connection.rows(selectTime(this.#dependencies.tables), [this.id, head]));
    if (time !== undefined && time !== lastTime) await this.#replaceIfLost(connection);
  }

  #source(connections: Connections): EventSource {
    return { connections, tables: this.#dependencies.tables, stream: this.id };
  }

  #assertOpen(): void {
    if (this.#ended) throw this.#ended();
  }

  /** What was read of a log that was lost meanwhile is not passed on. */
  async #whileOpen<T>(reading: Promise<T>): Promise<T> {
    const result = await reading;
    this.#assertOpen();
    return result;
  }

  /** Takes over a later row, and tells of a trim. */
  #take(row: StreamRow): void {
    const { earliest } = this.#row;
    this.#row = row;
    if (row.earliest === earliest || this.#position < row.head) return;
    this.#watchers.notify({ head: this.#position, earliest: row.earliest });
  }

  #committed({ row, events, outcomes }: Draft): void {
    if (row.revision > this.#row.revision) this.#row = row;
    // With a hole before them, or while pages are read, they are read too.
    if (!this.#reading && events[0]?.seq === this.#position + 1) {
      let next = 0;
      for (const outcome of outcomes) {
        if ("code" in outcome || outcome.replayed) continue;
        this.#tell(events.slice(next, (next += outcome.last - outcome.first + 1)));
      }
    } else void this.#readOn();
    this.#dependencies.onAppended();
  }

  #tell(events: readonly LogEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    this.#position = last.seq;
    this.#watchers.notify({ head: last.seq, earliest: this.#row.earliest, events });
  }

  /** Reads what the watchers were not told of, page by page. */
  async #readOn(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#position < this.#row.head && !this.#ended) await this.#readPage();
    } catch {
      // The next look at the stream's row leads here again.
    } finally {
      this.#reading = false;
    }
  }

  async #readPage(): Promise<void> {
    const { events, scanned } = await readPage(this.#source(this.#dependencies.control), this.#position, tailPage);
    if (this.#ended) return;
    this.#tell(events);
    if (scanned <= this.#position) return;
    // Trimmed before they were read.
    this.#position = scanned;
    this.#watchers.notify({ head: scanned, earliest: this.#row.earliest });
  }

  async #suspect(confirm: boolean): Promise<void> {
    if (!confirm) return this.#dependencies.onLost(this);
    if (this.#suspected) return;
    this.#suspected = true;
    try {
      await this.#dependencies.control.ask((connection) => this.#replaceIfLost(connection));
    } catch {
      // The next look at the stream's row leads here again.
    } finally {
      this.#suspected = false;
    }
  }

  async #replaceIfLost(connection: Connection): Promise<void> {
    if (await replaceIfLost(connection, this.#dependencies.tables, this.#row)) this.#dependencies.onLost(this);
  }
}

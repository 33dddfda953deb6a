import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Mutable } from "../../util/mutable.ts";
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
} from "../log.ts";
import { publisherIdOf, sourceIdOf } from "../engine/ids.ts";
import { createWatchers, type Watchers } from "../watchers.ts";
import { failureError } from "./failure.ts";
import type { AppendOutcome, AppendResult, StreamState } from "./messages.ts";
import { readPage } from "./page.ts";
import { findPosition } from "./position.ts";
import type { Snapshots } from "./snapshots.ts";
import type { WriterClient } from "./writer-client.ts";

/** What a log needs of its store. */
export interface SqliteLogDependencies {
  readonly path: string;
  readonly writer: WriterClient;
  readonly snapshots: Snapshots;
  readonly now: () => number;
  readonly logger: Logger;
}

/** A stream's log in a SQLite database. A class, since it keeps the state that the writer reports. */
export class SqliteLog implements Log {
  readonly stream: string;
  readonly epoch: string;

  readonly #dependencies: SqliteLogDependencies;
  readonly #watchers: Watchers;
  /** Its own copy: it changes with every append. */
  #row: Mutable<StreamState>;
  #closed = false;

  constructor(stream: string, row: StreamState, dependencies: SqliteLogDependencies) {
    this.stream = stream;
    this.epoch = row.epoch;
    this.#row = { ...row };
    this.#dependencies = dependencies;
    this.#watchers = createWatchers(stream, dependencies.logger);
  }

  state(): LogState {
    return toLogState(this.#row);
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#assertOpen();
    const { now, writer, path } = this.#dependencies;
    const request = {
      stream: this.#row.id,
      now: now(),
      events: events.flatMap((event) => [
        event.event,
        event.data,
        event.channel,
        sourceIdOf(event),
        publisherIdOf(event),
      ]),
      upstreamCursor: options.upstreamCursor,
      idempotency: options.idempotency,
    };
    return new Promise((resolve, reject) => {
      const settle = (outcome: AppendOutcome): void => {
        if ("code" in outcome) return reject(failureError(outcome, path));
        if (!outcome.replayed) this.#appended(events, options, outcome);
        resolve({ first: outcome.first, last: outcome.last, replayed: outcome.replayed });
      };
      writer.append({ request, settle });
    });
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    this.#assertOpen();
    return readPage(this.#dependencies.snapshots, this.#row.id, after, options);
  }

  async find(position: LogPosition, options?: FindOptions): Promise<number | undefined> {
    this.#assertOpen();
    if ("last" in position && position.filter === undefined) return lastPosition(this.#row, position.last);
    return findPosition(this.#dependencies.snapshots, this.#row.id, position, options);
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    this.#assertOpen();
    return this.#dependencies.writer.trim(this.#row.id, this.#dependencies.now());
  }

  /** Takes note that retention removed events. */
  trimmed(earliest: number, bytes: number): void {
    this.update({ ...this.#row, earliest, bytes });
  }

  /** Takes over a row that was read anew, and tells the watchers if it says something new. */
  update(row: StreamState): void {
    const { head, earliest } = this.#row;
    this.#row = { ...row };
    if (row.head === head && row.earliest === earliest) return;
    this.#watchers.notify({ head: row.head, earliest: row.earliest });
  }

  /** Refuses whatever comes later; appends under way still end. */
  close(): void {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpillwayError("store-closed");
  }

  #appended(events: readonly NewEvent[], { upstreamCursor }: AppendOptions, result: AppendResult): void {
    const { first, last, time, bytes } = result;
    if (upstreamCursor !== undefined) this.#row.upstreamCursor = upstreamCursor === "" ? undefined : upstreamCursor;
    if (last < first) return;
    this.#row.head = last;
    this.#row.bytes = bytes;
    this.#row.lastTime = time;
    const logged = events.map(({ event, data, channel, upstreamId, published }, index): LogEvent => {
      return { seq: first + index, time, event, data, channel, upstreamId, published };
    });
    this.#watchers.notify({ head: last, earliest: this.#row.earliest, events: logged });
  }
}

import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { shareNext } from "../../util/share-next.ts";
import { newEpoch } from "../cursor.ts";
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
import { type Appender, createAppender } from "./appender.ts";
import { type Batches, createBatches } from "./batches.ts";
import { type Committer, createCommitter } from "./committer.ts";
import type { Connection } from "./connection.ts";
import type { NatsDelivery } from "./driver.ts";
import type { FoundLog } from "./genesis.ts";
import { createHead, type Head } from "./head.ts";
import { createHealth, type Health, replacedError } from "./health.ts";
import { readPage, type Reading } from "./page.ts";
import { findPosition } from "./position.ts";
import { createPurger, type Purger } from "./purger.ts";
import type { Queries } from "./queries.ts";
import { controlRecord, type LogRecord, readRecord } from "./record.ts";
import { createSearch } from "./search.ts";
import { startTail, type Tail } from "./tail.ts";
import { createTrimmer, type Trimmer } from "./trimmer.ts";
import { createUpstreamIds, type UpstreamIds } from "./upstream-ids.ts";

/** What a log needs of its store. */
export interface NatsLogDependencies {
  readonly connection: Connection;
  readonly queries: Queries;
  /** The nodes' clock, and that of NATS, both in ms since 1970. */
  readonly now: () => number;
  readonly serverTime: () => Promise<number>;
  readonly logger: Logger;
  /** Called once when NATS has another log instead of this one. */
  readonly onReplaced: (log: NatsLog) => void;
}

/** A stream's log in a JetStream stream. A class, since it keeps what the tail reports. */
export class NatsLog implements Log {
  readonly stream: string;
  readonly epoch: string;
  /** May change when the stream is opened again. */
  retention: Retention;

  readonly #dependencies: NatsLogDependencies;
  readonly #names: FoundLog["names"];
  readonly #watchers: Watchers;
  readonly #head: Head;
  readonly #health: Health;
  readonly #batches: Batches;
  readonly #reading: Reading;
  readonly #committer: Committer;
  readonly #appender: Appender;
  readonly #trimmer: Trimmer;
  readonly #purger: Purger;
  readonly #upstreamIds: UpstreamIds;
  readonly #tail: Tail;
  #closing = false;

  constructor(stream: string, found: FoundLog, retention: Retention, dependencies: NatsLogDependencies) {
    const { connection, queries, now, serverTime, logger } = dependencies;
    const { names } = found;
    this.stream = stream;
    this.epoch = found.record.epoch;
    this.retention = retention;
    this.#dependencies = dependencies;
    this.#names = names;
    this.#watchers = createWatchers(stream, logger);
    const head = (this.#head = createHead(found.seq, found.record));
    this.#health = createHealth(queries, found, head, () => this.#replaced());
    const batches = (this.#batches = createBatches(connection, queries, names, head));
    const search = createSearch(batches, head);
    this.#reading = { head, batches, search, catchUp: shareNext(() => this.#reachEnd()) };
    this.#upstreamIds = createUpstreamIds(batches, search, head);
    const committer = (this.#committer = createCommitter(connection, queries, head, this.#health, (seq, draft) =>
      this.#advance(seq, draft.record, draft.events),
    ));
    this.#appender = createAppender(queries, names, committer, () => connection.maxPayload(), now);
    this.#trimmer = createTrimmer(names, head, batches, search, committer, now);
    this.#purger = createPurger(connection, queries, names, head, batches, { now, serverTime });
    this.#tail = startTail(connection, names, head, this.#health, (message) => this.#receive(message));
  }

  /** The latest fence that this node knows of. */
  get fence(): number {
    return this.#head.standing.fence;
  }

  state(): LogState {
    const { head, earliest, upstreamCursor, bytes, trimmed, time } = this.#head.standing;
    return toLogState({ head, earliest, upstreamCursor, bytes: bytes - trimmed, lastTime: time });
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#assertOpen();
    return this.#appender.append(events, options);
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    this.#assertOpen();
    return readPage(this.#reading, after, options);
  }

  async find(position: LogPosition, options?: FindOptions): Promise<number | undefined> {
    this.#assertOpen();
    if ("last" in position && position.filter === undefined) return lastPosition(this.state(), position.last);
    return findPosition(this.#reading, this.#upstreamIds, position, options);
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    this.#assertOpen();
    const removed = await this.#trimmer.trim(this.retention);
    await this.#purger.purge(this.retention.keys);
    return removed;
  }

  /** Makes the log refuse all earlier fences; false if it knows a later one. Then this node knows all that was appended before. */
  async raise(fence: number): Promise<boolean> {
    this.#assertOpen();
    const draft = await this.#committer.commit((standing) => {
      if (standing.fence >= fence) return undefined;
      const record = controlRecord({ ...standing, fence }, newEpoch());
      return { subject: this.#names.control, record, data: noData, events: [], batches: [], replaces: true };
    });
    return draft !== undefined;
  }

  /** Refuses whatever comes later; resolves once nothing that was appended before is under way. */
  finish(): Promise<void> {
    this.#closing = true;
    return this.#appender.idle();
  }

  /** Refuses whoever waits, too. */
  async close(): Promise<void> {
    this.#head.end(new SpillwayError("store-closed"));
    await this.#tail.stop();
  }

  #assertOpen(): void {
    if (this.#closing) throw new SpillwayError("store-closed");
    if (this.#head.ended) throw this.#head.ended;
  }

  #replaced(): void {
    if (this.#head.ended) return;
    this.#head.end(replacedError(this.stream));
    this.#dependencies.onReplaced(this);
  }

  /** Asks NATS how far the log goes, and waits for the tail to get there. */
  async #reachEnd(): Promise<void> {
    const { seq } = this.#head;
    const facts = await this.#dependencies.queries.facts(this.#names.stream);
    if (!facts || facts.lastSeq < seq) await this.#health.check();
    await this.#head.reached(facts?.lastSeq ?? 0);
  }

  async #receive({ headers, data, info }: NatsDelivery): Promise<void> {
    const seq = info.streamSequence;
    const record = readRecord(headers);
    if (!record) return this.#head.advance(seq, undefined);
    this.#committer.noticed(record);
    if (record.epoch !== this.epoch) return this.#replaced();
    const first = record.head - record.count + 1;
    if (first <= this.#head.standing.head) {
      await this.#health.check();
      throw new SpillwayError("store-corrupt", `the numbers of ${this.stream} go back in NATS`);
    }
    const batch = await this.#batches.decode(seq, record, data);
    // The answer to this node's own append may have been faster.
    if (seq <= this.#head.seq || this.#head.ended) return;
    // What was removed before this node could see it is missing before the first event: readers are to find that out themselves.
    const follows = first === this.#head.standing.head + 1;
    this.#advance(seq, record, follows ? batch?.events : undefined);
  }

  #advance(seq: number, record: LogRecord, events: readonly LogEvent[] | undefined): void {
    const before = this.#head.standing;
    this.#head.advance(seq, record);
    this.#reading.search.remember(record.head + 1, seq + 1);
    const { head, earliest } = record;
    this.#upstreamIds.add(events);
    if (earliest > before.earliest) this.#upstreamIds.trim(earliest);
    if (head > before.head) this.#watchers.notify({ head, earliest, events });
    else if (earliest > before.earliest) this.#watchers.notify({ head, earliest });
  }
}

const noData = new Uint8Array();

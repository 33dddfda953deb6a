import { SpillwayError } from "../../errors.ts";
import { shareNext } from "../../util/share-next.ts";
import {
  type AlikeEvent,
  type Batch,
  type DriverFailure,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
  type OpenLog,
  type ScanRange,
  type ScanStep,
  type StoredState,
  type TrimBounds,
  type TrimStep,
} from "../engine/driver.ts";
import type { LogEvent } from "../log.ts";
import { type Appender, createAppender } from "./appender.ts";
import { type Batches, createBatches } from "./batches.ts";
import { Committer } from "./committer.ts";
import type { Connection } from "./connection.ts";
import { controlDraft } from "./draft.ts";
import type { NatsDelivery } from "./driver.ts";
import { groupLength } from "./encoded-batch.ts";
import { storeError, UnknownOutcomeError } from "./failure.ts";
import type { FoundLog } from "./genesis.ts";
import { createHead, type Head, stateOf } from "./head.ts";
import { createHealth, type Health } from "./health.ts";
import { createPurger, type Purger } from "./purger.ts";
import type { Queries } from "./queries.ts";
import { type LogRecord, readRecord } from "./record.ts";
import { type Reading, scan } from "./scanner.ts";
import { createSearch } from "./search.ts";
import { startTail, type Tail } from "./tail.ts";
import { createTrimmer, type Trimmer } from "./trimmer.ts";
import { createUpstreamIds, type UpstreamIds } from "./upstream-ids.ts";

/** What the driver of a log needs from its store. */
export interface NatsLogDependencies {
  readonly connection: Connection;
  readonly queries: Queries;
  /** The node's clock, and that of NATS, both in ms since 1970. */
  readonly now: () => number;
  readonly serverTime: () => Promise<number>;
  /** Called once if NATS has another log instead of this one. */
  readonly onReplaced: (driver: NatsLogDriver) => void;
  /** Called once the log is closed. */
  readonly onClosed: (driver: NatsLogDriver) => void;
}

/** How often a log that is behind tries to catch up, in ms. */
const behindInterval = 1_000;

/** The driver of one log in a JetStream stream. A class, because it holds the state that the tail reports. */
export class NatsLogDriver implements LogDriver {
  readonly #log: OpenLog;
  readonly #dependencies: NatsLogDependencies;
  readonly #names: FoundLog["names"];
  readonly #head: Head;
  readonly #health: Health;
  readonly #batches: Batches;
  readonly #reading: Reading;
  readonly #committer: Committer;
  readonly #appender: Appender;
  readonly #trimmer: Trimmer;
  readonly #purger: Purger;
  readonly #upstreamIds: UpstreamIds;
  #tail: Tail | undefined;

  constructor(found: FoundLog, log: OpenLog, dependencies: NatsLogDependencies) {
    const { connection, queries, now, serverTime } = dependencies;
    const { names } = found;
    this.#log = log;
    this.#dependencies = dependencies;
    this.#names = names;
    const head = (this.#head = createHead(found.seq, found.record));
    const health = (this.#health = createHealth(queries, found, head, () => this.#replaced()));
    const batches = (this.#batches = createBatches(connection, queries, names, head));
    const search = createSearch(batches, head);
    this.#reading = { head, batches, search, catchUp: shareNext(() => this.#reachEnd()) };
    this.#upstreamIds = createUpstreamIds(batches, search, head);
    const committer = (this.#committer = new Committer({
      connection,
      queries,
      names,
      head,
      health,
      onCommitted: (seq, { record, events }) => this.#advance(seq, record, events),
    }));
    this.#appender = createAppender(queries, names, committer, () => connection.maxPayload());
    this.#trimmer = createTrimmer(names, head, batches, search, committer, now);
    this.#purger = createPurger(connection, queries, names, head, batches, { now, serverTime });
  }

  get stream(): string {
    return this.#log.stream;
  }

  get state(): StoredState {
    return stateOf(this.#head);
  }

  /** The latest fence that this node knows. */
  get fence(): number {
    return this.#head.standing.fence;
  }

  /** Starts to follow the log; returns the function that stops it. */
  follow(): () => void {
    const { connection } = this.#dependencies;
    const tail = startTail(connection, this.#names, this.#head, this.#health, (message) => this.#receive(message));
    const timer = setInterval(() => this.#log.behind && this.#log.catchUp(), behindInterval);
    timer.unref();
    this.#tail = tail;
    return () => {
      clearInterval(timer);
      void tail.stop();
    };
  }

  groupLength(batches: readonly Batch[]): number {
    return groupLength(batches, this.#dependencies.connection.maxPayload() / 2);
  }

  async append(_number: number, group: readonly Batch[]): Promise<GroupResult> {
    return { outcomes: await this.#appender.append(group) };
  }

  async settle(): Promise<GroupResult | undefined> {
    const outcomes = await this.#appender.settle();
    return outcomes && { outcomes };
  }

  scan(range: ScanRange): Promise<ScanStep> {
    return scan(this.#reading, range);
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    await this.#reading.catchUp();
    return this.#upstreamIds.latest(id);
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    await this.#reading.catchUp();
    return this.#upstreamIds.alike(origin, id);
  }

  /** Times never decrease, so the first event at or after a time is found by binary search. */
  async beforeTime(since: number): Promise<number> {
    await this.#reading.catchUp();
    const found = await this.#reading.search.first(({ time }) => time >= since);
    const { earliest, head } = this.#head.standing;
    return found ? Math.max(found.record.head - found.record.count, earliest - 1) : head;
  }

  /** A single record can move the start of the log by any number of events, so the limit of a step is ignored. */
  async trim(bounds: TrimBounds): Promise<TrimStep> {
    const removed = await this.#trimmer.trim(bounds);
    await this.purge();
    return { removed, state: this.state };
  }

  async boundKeys(): Promise<void> {
    await this.purge();
  }

  /** Removes messages before the first event from NATS, unless their idempotency keys are still remembered. */
  async purge(): Promise<void> {
    await this.#purger.purge(this.#log.retention.keys);
  }

  failure(error: unknown): DriverFailure {
    const retry = error instanceof UnknownOutcomeError;
    return { error: storeError(error), unknown: this.#committer.unsettled, retry };
  }

  /**
   * Makes the log refuse all earlier fences, once this node knows all earlier appends; false if it has a later fence.
   */
  async raise(fence: number): Promise<boolean> {
    const draft = await this.#committer.commit((standing) =>
      standing.fence >= fence ? undefined : controlDraft(this.#names, { ...standing, fence }),
    );
    return draft !== undefined;
  }

  /** Rejects all waiting calls. */
  async close(): Promise<void> {
    this.#head.end(new SpillwayError("store-closed"));
    this.#dependencies.onClosed(this);
  }

  /** Resolves once the tail has stopped, at the latest when the connection is closed. */
  async ended(): Promise<void> {
    await this.#tail?.stop();
  }

  #replaced(): void {
    if (this.#head.ended) return;
    this.#head.end(new LogReplacedError());
    this.#dependencies.onReplaced(this);
    this.#log.replace();
  }

  /** Asks NATS for the last message of the log, and waits until the tail has received it. */
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
    if (record.epoch !== this.#log.epoch) return this.#replaced();
    const first = record.head - record.count + 1;
    if (first <= this.#head.standing.head) {
      await this.#health.check();
      throw new SpillwayError("store-corrupt", `the event numbers of ${this.stream} decrease in NATS`);
    }
    const batch = await this.#batches.decode(seq, record, data);
    // The answer to this node's own append may have arrived first.
    if (seq <= this.#head.seq || this.#head.ended) return;
    // If earlier messages were removed before this node could receive them, the log reads the remaining events itself.
    const follows = first === this.#head.standing.head + 1;
    this.#advance(seq, record, follows ? batch?.events : undefined);
  }

  #advance(seq: number, record: LogRecord, events: readonly LogEvent[] | undefined): void {
    const before = this.#head.standing;
    this.#head.advance(seq, record);
    this.#reading.search.remember(record.head + 1, seq + 1);
    this.#upstreamIds.add(events);
    if (record.earliest > before.earliest) this.#upstreamIds.trim(record.earliest);
    this.#log.observe(this.state, events);
  }
}

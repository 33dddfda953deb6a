import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import { toLogState } from "../event-bytes.ts";
import { isOverfull } from "../idempotency.ts";
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
import { type Appender, type AppendResult, createAppender, type QueuedAppend } from "./appender.ts";
import type { Connection } from "./connection.ts";
import type { Command, Reply } from "./driver.ts";
import type { Entry } from "./entry.ts";
import { storeError, UnansweredError } from "./failure.ts";
import { groupArguments, toResults } from "./group.ts";
import type { Link } from "./link.ts";
import { entriesFor, type Look, readPage } from "./page.ts";
import { findFirst, findLast, findLatest } from "./position.ts";
import { createProgress, type Progress } from "./progress.ts";
import { eventsKey, type Keys, type Snapshot, snapshotFields, toSnapshot } from "./schema.ts";
import { evaluate, type Script } from "./script.ts";
import { appendScript, checkScript, sinceScript, trimScript } from "./scripts.ts";
import { forgetSurplus } from "./surplus.ts";
import type { Followed } from "./tail.ts";

/** What a log needs of its store. */
export interface RedisLogDependencies {
  readonly writer: Link;
  readonly reader: Link;
  readonly prefix: string;
  readonly keys: Keys;
  readonly place: string;
  /** Replicas that must have an append before it resolves. */
  readonly wait: number;
  readonly now: () => number;
  readonly logger: Logger;
  /** The server has this log no more, or lost events of it. Called once. */
  onLost(log: RedisLog): void;
}

/** The most events that one step of retention removes. */
const trimStep = 500;

/** A stream's log in Redis. A class, since it keeps the state that the server reports. */
export class RedisLog implements Log, Followed {
  readonly stream: string;
  readonly epoch: string;
  readonly key: string;
  /** May change when the stream is opened again. */
  retention: Retention;

  readonly #dependencies: RedisLogDependencies;
  readonly #watchers: Watchers;
  readonly #appender: Appender;
  readonly #keys: readonly string[];
  /** What the epoch is to be if this log turns out to have lost events. */
  readonly #nextEpoch = newEpoch();
  /** By this the server tells the groups of this log's appender from others. */
  readonly #sender: string = crypto.randomUUID();
  readonly #progress: Progress;
  #failure: SpillwayError | undefined;

  constructor(stream: string, snapshot: Snapshot, retention: Retention, dependencies: RedisLogDependencies) {
    const { prefix, keys, logger } = dependencies;
    const { meta, ids, keys: used, ages, senders, lease, places } = keys;
    this.stream = stream;
    this.epoch = snapshot.epoch;
    this.key = eventsKey(prefix, stream, snapshot.epoch);
    this.retention = retention;
    this.#dependencies = dependencies;
    this.#watchers = createWatchers(stream, logger);
    this.#keys = [meta, this.key, eventsKey(prefix, stream, this.#nextEpoch), ids, used, ages, senders, lease, places];
    this.#progress = createProgress(snapshot, this.#watchers);
    this.#appender = createAppender({ send: (number, group) => this.#send(number, group) });
  }

  get told(): number {
    return this.#progress.told();
  }

  get pageSize(): number {
    return entriesFor(this.#progress.standing());
  }

  state(): LogState {
    return toLogState(this.#progress.standing());
  }

  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#assertOpen();
    return this.#appender.append(events, options);
  }

  async read(after: number, options: ReadOptions): Promise<LogPage> {
    return this.#guard(() => readPage(this.#look, this.key, after, options, this.#progress.standing()));
  }

  async find(position: LogPosition, { signal }: FindOptions = {}): Promise<number | undefined> {
    this.#assertOpen();
    if ("last" in position && position.filter === undefined) return lastPosition(this.state(), position.last);
    return this.#guard(async () => {
      if ("since" in position)
        return Number(await this.#ask(this.#dependencies.reader, sinceScript, [String(position.since)]));
      if ("last" in position) return findLast(this.#look, this.key, position, signal);
      if ("sourceId" in position) return findLatest(this.#look, this.#dependencies.keys.ids, position.sourceId);
      return findFirst(this.#look, this.#dependencies.keys, this.key, position);
    });
  }

  watch(listener: (hint: LogHint) => void): () => void {
    return this.#watchers.add(listener);
  }

  async trim(): Promise<number> {
    return this.#guard(() => this.#trim());
  }

  /** Applies retention, and hears where the log stands. To be called about once a second. */
  async keep(): Promise<void> {
    await this.#trim();
  }

  /** Rejects the appends that have waited for too long. To be called about once a second. */
  expire(): void {
    this.#appender.expire();
  }

  /** Looks on a connection whether the server still has all that is known here. */
  async check(connection: Connection): Promise<void> {
    if (this.#failure) return;
    try {
      const reply = await this.#ask(connection, checkScript, [], this.#progress.standing().lastTime);
      this.update(toSnapshot(reply));
    } catch (error) {
      if (!this.#failure) throw error;
    }
  }

  /** Takes over where the server says that the log stands, and tells the watchers if that is news to them. */
  update(snapshot: Snapshot | undefined): void {
    if (snapshot?.epoch === this.epoch) this.#progress.update(snapshot);
    else this.lose();
  }

  /** Takes entries that the tail has read. */
  take(entries: readonly Entry[]): void {
    if (!this.#failure) this.#progress.take(entries);
  }

  /** Waits for the appends under way, for at most so many ms. */
  async idle(patience: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, patience)));
    await Promise.race([this.#appender.idle(), late]);
    clearTimeout(timer);
  }

  /** Refuses whatever comes later; appends under way still end. */
  close(): void {
    this.#failure ??= new SpillwayError("store-closed");
  }

  /** Rejects the appends that have not ended. */
  abort(): void {
    this.#appender.fail(new SpillwayError("store-unavailable", "the store was closed before the server answered"));
  }

  /** Lets the server forget what is kept of this log's appender. */
  async leave(link: Link): Promise<void> {
    await link.send(["HDEL", this.#dependencies.keys.senders, this.#sender], 1_000);
  }

  /** This log is no more: whoever opens the stream anew gets the next one. */
  lose(): void {
    if (this.#failure) return;
    this.#failure = new SpillwayError("store-unavailable", "the server has lost the log");
    this.#appender.fail(this.#failure);
    this.#dependencies.onLost(this);
  }

  #assertOpen(): void {
    if (this.#failure) throw this.#failure;
  }

  async #guard<T>(action: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await action();
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      throw this.#failure ?? storeError(error, this.#dependencies.place);
    }
  }

  readonly #look: Look = async (...commands) => {
    const meta: Command = ["HMGET", this.#dependencies.keys.meta, ...snapshotFields];
    const [first, ...replies] = await this.#dependencies.reader.transact([meta, ...commands]);
    const snapshot = toSnapshot(first!);
    if (snapshot?.epoch !== this.epoch) this.lose();
    this.#assertOpen();
    return { snapshot: snapshot!, replies };
  };

  /** Runs a script, which first looks whether the log is still there. */
  async #ask(on: Pick<Connection, "send">, script: Script, args: Command, knownTime = 0): Promise<Reply> {
    const known = [this.epoch, this.#nextEpoch, String(this.#progress.standing().head), String(knownTime)];
    const reply = await evaluate(on, script, this.#keys, [...known, ...args]);
    if (reply === null) {
      this.lose();
      throw this.#failure!;
    }
    return reply;
  }

  async #send(number: number, next: () => readonly QueuedAppend[]): Promise<readonly AppendResult[]> {
    const { writer, wait, now, place } = this.#dependencies;
    try {
      const connection = await writer.connection();
      const group = next();
      const args = groupArguments(this.#sender, number, now(), this.retention, group);
      const [results, time, snapshot] = (await this.#ask(connection, appendScript, args)) as readonly Reply[];
      if (wait > 0) await waitForReplicas(connection, wait);
      const outcome = toResults(results!);
      this.#appended(group, outcome, Number(time), toSnapshot(snapshot!));
      return outcome;
    } catch (error) {
      if (error instanceof UnansweredError) throw error;
      throw storeError(error, place);
    }
  }

  /** Appends of a group follow one another without a hole. The tail brings those of a group that is not waited for any more. */
  #appended(
    group: readonly QueuedAppend[],
    results: readonly AppendResult[],
    time: number,
    snapshot: Snapshot | undefined,
  ): void {
    if (snapshot?.epoch !== this.epoch) return this.lose();
    const events = results.flatMap(({ status, first }, index) =>
      status === "appended" ? (group[index]?.events ?? []).map((event, at) => logged(event, first + at, time)) : [],
    );
    this.#progress.appended(events, snapshot);
  }

  async #trim(): Promise<number> {
    const { writer, now } = this.#dependencies;
    const { age, events, bytes } = this.retention;
    const bounds = [age, events, bytes].map((bound) => String(bound ?? ""));
    for (let removed = 0; ;) {
      const args = [String(now()), ...bounds, String(trimStep)];
      const [step, snapshot, keys] = (await this.#ask(writer, trimScript, args)) as readonly Reply[];
      this.update(toSnapshot(snapshot!));
      this.#assertOpen();
      removed += Number(step);
      if (Number(step) < trimStep) {
        const most = this.retention.keys ?? Infinity;
        if (isOverfull(Number(keys), most)) await forgetSurplus(writer, this.#dependencies.keys, most);
        return removed;
      }
    }
  }
}

function logged({ event, data, channel, upstreamId, published }: NewEvent, seq: number, time: number): LogEvent {
  return { seq, time, event, data, channel, upstreamId, published };
}

/** Not enough of them is as good as no answer: the group is sent again, and waited for again. */
async function waitForReplicas(connection: Connection, wait: number): Promise<void> {
  const reached = Number(await connection.send(["WAIT", String(wait), "1000"]));
  if (reached < wait) throw new UnansweredError(`${reached} of ${wait} replicas have the events`);
}

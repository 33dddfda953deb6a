/**
 * The log port: what a store must do to carry Spillway's delivery contract. Drawn from its callers (ingest, hub, http);
 * the suite in `spillway/testing` runs the same promises over every store.
 *
 * Sequence numbers of a stream start at 1 and have no holes but the trimmed beginning.
 */

import type { Coordination } from "./coordination.ts";

/** Types with this prefix are Spillway's own: they pass every filter, and neither upstream nor publisher may use them. */
export const reservedPrefix = "spillway.";

/** An event on its way into the log. */
export interface NewEvent {
  /** The SSE event type; `message` is the default type. */
  readonly event: string;
  /** The exact text of the event, lines separated by LF. */
  readonly data: string;
  readonly channel: string | undefined;
  /**
   * The id that clients of the upstream have from this event on, where it is another than before, or the one that the publisher gave.
   * `""` where the upstream resets the id of its clients: it is never looked up.
   */
  readonly upstreamId: string | undefined;
  /** True for an event that was published; absent for one that was ingested from the stream's source. */
  readonly published?: true | undefined;
}

/** An event in the log; immutable. */
export interface LogEvent extends NewEvent {
  readonly seq: number;
  /** When it was appended, in ms since 1970; never decreases with `seq`. */
  readonly time: number;
}

/** What a subscriber wants to see. Absent means everything; within a list any match counts; both lists must match. */
export interface LogFilter {
  readonly channels?: readonly string[] | undefined;
  readonly events?: readonly string[] | undefined;
  /** Names and patterns that must match as well; in a pattern `*` matches any characters. */
  readonly within?: FilterPatterns | undefined;
  /** Conditions on the whole event, all of which must hold as well. */
  readonly where?: readonly EventCondition[] | undefined;
}

/** A condition on an event that is neither a name nor a pattern. A store applies it to the events that it has read. */
export interface EventCondition {
  /** Equal for conditions that match the same events. */
  readonly key: string;
  matches(event: NewEvent): boolean;
}

/** Names and patterns of what a subscriber wants to see. */
export interface FilterPatterns extends Pick<LogFilter, "channels" | "events"> {
  /** Whether events without a channel match `channels` too. Default: false. */
  readonly broadcast?: boolean | undefined;
}

/** Where a stream's log stands. */
export interface LogState {
  /** The last sequence number; 0 before the first event. */
  readonly head: number;
  /** The first sequence number still held; `head + 1` when none is. */
  readonly earliest: number;
  /** The upstream's last event id that is durable here: where ingest resumes. */
  readonly upstreamCursor: string | undefined;
  /** Events held. */
  readonly events: number;
  /** Bytes held, as retention counts them: of data, types, channels and ids, and 128 more for each event. */
  readonly bytes: number;
  /** Time of the last event, in ms since 1970; 0 before the first. */
  readonly lastTime: number;
}

/** What makes a repeated append harmless. It is remembered for 24 h, and as long as {@link Retention.keys} permits. */
export interface Idempotency {
  /** Who appends: another owner's key of the same text is another key. Default: `""`. */
  readonly owner?: string | undefined;
  readonly key: string;
  /** Stands for what is appended. */
  readonly fingerprint: string;
}

export interface AppendOptions {
  /** Stored in the same transaction as the events. `""` clears it, `undefined` leaves it. */
  readonly upstreamCursor?: string | undefined;
  /** The same key of the same owner, with the same fingerprint, answers with the first append's result and appends nothing. */
  readonly idempotency?: Idempotency | undefined;
  /**
   * The fence of the lease under which the caller ingests: checked by the store itself, in the same step in which it appends. Absent
   * for publishers, and in stores without leases.
   */
  readonly fence?: number | undefined;
  /**
   * Makes the same append exactly once within this process: pass the same object each time until an answer other than
   * `append-unknown` comes. An append with it that was found in the log later is answered with its numbers, and appends nothing.
   */
  readonly retryToken?: object | undefined;
}

/** The numbers an append was given; `last === first - 1` for an empty batch. */
export interface Appended {
  readonly first: number;
  readonly last: number;
  /** True where an idempotency key was found and nothing was appended. */
  readonly replayed: boolean;
}

export interface ReadOptions {
  readonly filter?: LogFilter | undefined;
  /** At most this many events. */
  readonly limit: number;
  /** Stops once this much was collected (as retention counts), but never before the first event. Default: no bound. */
  readonly maxBytes?: number | undefined;
}

export interface FindOptions {
  /** Ends a walk through the log: `find` then rejects with its reason. A position that is found by an index may be found nevertheless. */
  readonly signal?: AbortSignal | undefined;
}

export interface LogPage {
  /** Matching events in order. */
  readonly events: readonly LogEvent[];
  /**
   * Everything up to here was looked at: the next page starts after it. Equals the head when the page reaches it. A page looks at a
   * few thousand events at most, so where few of them match it may end before the head with less than was asked for, or with nothing.
   */
  readonly scanned: number;
  /** The first sequence number held, in the same snapshot as `events`: a hole lies before it if it is beyond `after + 1`. */
  readonly earliest: number;
}

/** How many events with the same id {@link LogPosition} looks at: the first ones held. */
export const maxAlike = 32;

/** A place in the log, named otherwise than by number. */
export type LogPosition =
  /** Behind the latest ingested event with this id. */
  | { readonly sourceId: string }
  /**
   * Behind the first event with this id that matches the filter; ids that publishers gave count only if `published` is true. Only the
   * first {@link maxAlike} events with the id are looked at.
   */
  | { readonly upstreamId: string; readonly published?: boolean | undefined; readonly filter?: LogFilter | undefined }
  /** Before the first event at or after this time, in ms since 1970. */
  | { readonly since: number }
  /** Before the last `last` events that match. */
  | { readonly last: number; readonly filter?: LogFilter | undefined };

/** Says that the log has grown or was trimmed. A hint: it may come late or be missed; `read` is the truth. */
export interface LogHint {
  readonly head: number;
  readonly earliest: number;
  /** The events just appended here, spared a read; absent when they were appended elsewhere. */
  readonly events?: readonly LogEvent[] | undefined;
}

/** One stream's log. */
export interface Log {
  readonly stream: string;
  /** A short random token made with the log: lower-case letters and digits, at most 16. */
  readonly epoch: string;
  /** The last known state; no I/O. */
  state(): LogState;
  /**
   * Appends a batch whole or not at all, and resolves when it is durable. Batches get consecutive numbers in the order of the calls.
   *
   * An append ends in one of three ways. It resolves: the batch is in the log. It rejects with `append-unknown`: the batch may be in the
   * log, or get there before the next append; only an append with the same idempotency key or retry token is sure not to double it. It
   * rejects with any other code: nothing was appended, nor will be.
   * @throws {SpillwayError} `append-unknown`; `store-full`, `store-readonly`, `store-locked`, `store-unavailable`, `store-corrupt`,
   * after which the append may be made again; `idempotency-conflict`; `store-closed`; `lease-lost` where another node has taken the
   * lease with a later fence.
   */
  append(events: readonly NewEvent[], options?: AppendOptions): Promise<Appended>;
  /** Reads forward from behind `after`. Sees every append that has resolved. Never blocks the event loop for more than a few ms. */
  read(after: number, options: ReadOptions): Promise<LogPage>;
  /**
   * The sequence number *behind which* to read on from a position (0 for the very beginning); `undefined` for an unknown id.
   * Only `last` with a filter takes time in proportion to the events held; it goes in steps that let everything else have its turn.
   */
  find(position: LogPosition, options?: FindOptions): Promise<number | undefined>;
  /** Calls back after each append and trim, in order. Returns the way to stop it. */
  watch(listener: (hint: LogHint) => void): () => void;
  /** Applies retention now, to the end; stores also do so on their own, in small steps. Resolves to the events removed. */
  trim(): Promise<number>;
}

/** The reading half of one stream's log, in a process beside the one that writes it. */
export interface LogReader extends Pick<Log, "stream" | "epoch" | "read" | "find"> {
  /**
   * The state as it is stored now: read at each call, so it knows of every append that has resolved anywhere.
   * @throws {SpillwayError} `store-corrupt`, `store-unavailable`, `store-closed`.
   */
  state(): LogState;
}

/** The logs of one store, for reading only. */
export interface LogReaders {
  /**
   * Opens the log of a stream that the writing process has opened before.
   * @throws {SpillwayError} `store-unavailable` where there is none.
   */
  open(stream: string): LogReader;
  /** Idempotent. */
  close(): void;
}

/** How much of a stream is kept. The oldest events go first; `undefined` means no bound. */
export interface Retention {
  /** In ms. */
  readonly age: number | undefined;
  readonly events: number | undefined;
  readonly bytes: number | undefined;
  /**
   * Idempotency keys. Beyond it (by up to a hundredth, and for up to a minute) the oldest ones go of the owner that has most, so that
   * an owner's keys are never displaced by another owner that has more. Default: no bound.
   */
  readonly keys?: number | undefined;
}

export interface LogOptions {
  readonly retention: Retention;
}

/** The end of a log. */
export interface LogHead {
  readonly epoch: string;
  /** The last sequence number; 0 before the first event. */
  readonly head: number;
}

/** How a store removes logs, for streams that exist only for a while. */
export interface LogRemoval {
  /** The streams whose names begin with `prefix` and that have a log, open or not. */
  list(prefix: string): Promise<readonly string[]>;
  /** Whether a stream has a log, open or not. */
  has(stream: string): Promise<boolean>;
  /**
   * Closes a stream's log in this store, which keeps it: a `Log` of it that is open refuses every call from then on. Does
   * nothing where it is not open.
   */
  close(stream: string): Promise<void>;
  /**
   * Removes a stream's log with its events and idempotency keys; a `Log` of it that is open refuses every call from then on. Does
   * nothing where there is none. A log that is opened under the same name later has another epoch.
   * @param unchanged removes the log only if it still has this epoch and head. Default: removes it in any case.
   * @returns whether the log was removed, or there was none.
   * @throws {SpillwayError} a `store-…` code.
   */
  remove(stream: string, unchanged?: LogHead): Promise<boolean>;
}

/** A store of logs, made from one URL such as `sqlite:./spillway.db`. */
export interface LogStore {
  /** The URL's scheme: `memory`, `sqlite`. */
  readonly kind: string;
  /** What processes that share the store agree on by it; absent where only one process can have it open. */
  readonly coordination?: Coordination | undefined;
  /** How the engine can be reached that has the store; absent where it is in this process, or in a file. */
  connection?(): StoreConnection;
  /** Opens a stream's log, making it on first use. */
  open(stream: string, options: LogOptions): Promise<Log>;
  /** Absent where a store keeps all of its logs. */
  readonly removal?: LogRemoval | undefined;
  /** Waits for appends under way, then closes all connections. Idempotent. */
  close(): Promise<void>;
}

/** What is known here of the way to the engine that has a store: to all of its servers, where there are several. */
export interface StoreConnection {
  /** False from the moment when it is noticed that it cannot be reached, until it can again. */
  readonly connected: boolean;
  /** For how long nothing was heard of it, in ms. While it can be reached that is at most four seconds, also where nothing happens. */
  readonly silence: number;
  /** How often it was reached again, since the store was opened. */
  readonly reconnects: number;
}

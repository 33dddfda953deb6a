/**
 * The driver port: what an engine's client library makes different. Everything that all stores do alike (group commit, appends whose
 * outcome is unknown, pages, positions, following, retention, leases, closing) is built on it once, in this folder.
 * `docs/guides/add-an-engine.md` shows how to write a driver.
 */
import type { SpillwayError } from "../../errors.ts";
import type { LeaseHolder } from "../coordination.ts";
import type {
  Appended,
  AppendOptions,
  LogEvent,
  LogFilter,
  LogHead,
  LogRemoval,
  LogState,
  NewEvent,
  Retention,
  StoreConnection,
} from "../log.ts";

/** A log's state as its store has it. */
export interface StoredState extends Omit<LogState, "events"> {
  readonly epoch: string;
  /** Bytes of the texts of the events held, without what each event counts for beside its texts. */
  readonly bytes: number;
  /** Grows with every change of the log, so that of two states of one epoch the later one is known. */
  readonly revision: number;
}

/** One call of `append`. */
export interface Batch {
  readonly events: readonly NewEvent[];
  readonly options: AppendOptions;
  /** The clock at the call, in ms since 1970. Events get this time, or that of the event before them if that is later. */
  readonly clock: number;
}

/** What became of one batch of a group: an error means that nothing of it was appended. */
export type BatchOutcome = Appended | SpillwayError;

/** What became of a group that reached the log. */
export interface GroupResult {
  /** In the order of the batches. */
  readonly outcomes: readonly BatchOutcome[];
  /** The log behind the group; absent where the driver reports it in another way. */
  readonly state?: StoredState | undefined;
  /** The events of the group as they stand in the log, in order and without a hole; absent where the engine has to read them. */
  readonly events?: readonly LogEvent[] | undefined;
}

/** Why a call of a driver failed. */
export interface DriverFailure {
  /** What the caller gets. */
  readonly error: SpillwayError;
  /** Whether the group may have been appended all the same, so that it has to be settled. */
  readonly unknown?: boolean | undefined;
  /** Whether the same group may be appended at the next try: the connection was lost, or another transaction was in the way. */
  readonly retry?: boolean | undefined;
  /** Whether the fault may be one batch's, so that the others of the group are appended without it. */
  readonly divisible?: boolean | undefined;
}

/** A step through a stream's events. */
export interface ScanRange {
  readonly direction: "forward" | "backward";
  /** What is wanted. A driver may return events that do not match, but leaves out none that does. */
  readonly filter: LogFilter | undefined;
  /** The sequence number to start from, not included. */
  readonly from: number;
  /** Matching events that are still wanted; at least 1. */
  readonly limit: number;
  /** Bytes of matching events, as retention counts them, after which no more are wanted. */
  readonly maxBytes: number;
  /** True where subscribers at the head wait for these events: they must not queue behind replays. */
  readonly live: boolean;
}

/** What a step found, all of it in one snapshot of the log. */
export interface ScanStep {
  readonly state: StoredState;
  /** The events looked at that are held, in the direction of the step. Going backward `data` may be left out, unless the filter has `where`. */
  readonly events: readonly LogEvent[];
  /** The last sequence number looked at; `from` if there was none. */
  readonly seq: number;
  /** Whether no event is left beyond. */
  readonly end: boolean;
}

/** What is looked at of an event that has a given id. */
export type AlikeEvent = Pick<LogEvent, "seq" | "event" | "channel">;

/** What retention does not keep. */
export interface TrimBounds {
  /** Events older than this go, in ms since 1970. */
  readonly before: number | undefined;
  readonly events: number | undefined;
  readonly bytes: number | undefined;
}

/** What one step of retention did. */
export interface TrimStep {
  /** Events that were removed; less than the limit once nothing is left to remove. */
  readonly removed: number;
  readonly state: StoredState;
}

/** The reading half of a {@link LogDriver}. */
export interface ReadDriver {
  /** Takes one step through the events: a few milliseconds of work at most. */
  scan(range: ScanRange): Promise<ScanStep>;
  /** The latest ingested event with this id. */
  latestOfSource(id: string): Promise<number | undefined>;
  /** The first events with this id that an origin gave, in order: at most `maxAlike`. */
  alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]>;
  /** The sequence number before the first event at or after a time, in ms since 1970. */
  beforeTime(since: number): Promise<number>;
}

/**
 * One stream's log, as the engine's client library gives access to it. Every method throws what that library throws, which `failure`
 * explains, or {@link LogReplacedError} where the store no longer has the log of this epoch, or has lost events of it.
 */
export interface LogDriver extends ReadDriver {
  /** How many of the batches that wait make up the next group; at least one. Absent: see `append-queue.ts`. */
  groupLength?(batches: readonly Batch[]): number;
  /**
   * Appends a group in one transaction: each batch whole or not at all, in order. Called for one group at a time, with numbers that
   * increase.
   */
  append(number: number, group: readonly Batch[]): Promise<GroupResult>;
  /**
   * Finds out what became of a group whose outcome is unknown: its result, or `undefined` if it was not appended. After that it never
   * will be. The next group is appended only once this has resolved.
   */
  settle(number: number, group: readonly Batch[]): Promise<GroupResult | undefined>;
  /** Removes at most `limit` of the oldest events that retention does not keep. */
  trim(bounds: TrimBounds, limit: number): Promise<TrimStep>;
  /** Forgets idempotency keys until `max` are left, see {@link surplusKeys}. */
  boundKeys(max: number): Promise<void>;
  /** Explains what another method threw. */
  failure(error: unknown): DriverFailure;
  /** Lets the store forget what it keeps of this driver. */
  close?(): Promise<void>;
}

/** A log that is open, as the driver of its store sees it. */
export interface OpenLog {
  readonly stream: string;
  readonly epoch: string;
  /** What is kept of it. It may change when the stream is opened again. */
  readonly retention: Retention;
  /** The latest state that this node knows. */
  readonly known: StoredState;
  /** The last event that the watchers were notified of. */
  readonly position: number;
  /**
   * Takes note of a state, and of events that stand right before its head, in order and without a hole. What the watchers have not seen
   * by then is read.
   */
  observe(state: StoredState, events?: readonly LogEvent[]): void;
  /** Reads on, since the log may have grown. */
  catchUp(): void;
  /** Whether events are left to read, or reading failed: call {@link catchUp} again. */
  readonly behind: boolean;
  /** Ends the log, since the store has another in its place. */
  replace(): void;
}

/** A stream that was opened. */
export interface OpenedStream {
  readonly state: StoredState;
  /** Makes the driver of the log. */
  createDriver(log: OpenLog): LogDriver;
  /**
   * Follows the log: calls its `observe` or `catchUp` soon after each change by any node, and again at least once a second while it is
   * `behind`. Returns the way to stop it. Absent where this process alone changes the log, and reports all of it otherwise.
   */
  follow?(log: OpenLog): () => void;
}

/** How a driver removes logs, none of which is open in this store. */
export type DriverRemoval = Pick<LogRemoval, "list" | "has" | "remove">;

/** Whether a log may be removed: see {@link LogRemoval.remove}. */
export function isUnchanged(found: LogHead, unchanged: LogHead | undefined): boolean {
  return !unchanged || (found.epoch === unchanged.epoch && found.head === unchanged.head);
}

/** An engine's store of logs. Methods throw what the client library throws, which `storeError` turns into what callers get. */
export interface StoreDriver {
  /** The URL's scheme. */
  readonly kind: string;
  /** Reads a stream's state, making the stream on first use. */
  open(stream: string): Promise<OpenedStream>;
  /** Forgets idempotency keys from before this time, and what was left by nodes that are gone. Called once a minute. */
  prune(keysBefore: number): Promise<void>;
  readonly leases?: LeaseDriver | undefined;
  /** Removes logs that are not open. Absent where the driver cannot. */
  readonly removal?: DriverRemoval | undefined;
  connection?(): StoreConnection;
  storeError(error: unknown): SpillwayError;
  /** Lets go of all connections; what is under way fails. Called once, after the appends have ended or their time is up. */
  close(): Promise<void>;
}

/** A lease that was taken. */
export interface TakenLease {
  readonly fence: number;
  /** The log when the lease was taken; absent where the store has none. */
  readonly state: StoredState | undefined;
  /** Keeps it for `ttl` ms from now on; false if it is lost. */
  renew(ttl: number): Promise<boolean>;
  /** Gives it back; does nothing if it is lost. */
  release(): Promise<void>;
}

/** Leases in a store. All times are measured by the store's clock. */
export interface LeaseDriver {
  /** Takes the lease of a stream for `ttl` ms; `undefined` while another node has it. */
  acquire(stream: string, ttl: number): Promise<TakenLease | undefined>;
  holder(stream: string): Promise<LeaseHolder | undefined>;
  /** Declares for `ttl` ms that this node needs the stream's events; 0 takes it back. */
  declareDemand(stream: string, ttl: number): Promise<void>;
  /** Whether any node needs the stream's events. */
  hasDemand(stream: string): Promise<boolean>;
}

/** Thrown by drivers: the store no longer has the log of this epoch, or has lost events that this node knows. */
export class LogReplacedError extends Error {
  constructor() {
    super("the store has another log of this stream");
  }
}

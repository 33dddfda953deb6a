/**
 * The port of a source: what differs between kinds of sources. Everything else (delays, failover, gaps, status, traces)
 * is in `create-upstream.ts`.
 */
import type { UpstreamBatch, UpstreamHistory, UpstreamTarget } from "./upstream.ts";

/** A batch as a source yields it. */
export interface SourceBatch extends UpstreamBatch {
  /** Tells the source that the batch is durable; absent for sources that keep track by the cursor. */
  acknowledge?(): void;
}

/** Counts events of the source. A refused or repeated event is also counted as received. */
export type EventCounter = "received" | "repeated" | "refused";

/** What a source needs to know for one connection attempt. */
export interface Attempt {
  /** Name of the stream. */
  readonly stream: string;
  /** What is durable. */
  readonly history: UpstreamHistory;
  /** Ends the attempt and its connection. */
  readonly signal: AbortSignal;
  /** Counts an event. The reason why it was refused is logged, once per connection. */
  count(counter: EventCounter, reason?: string): void;
  /** Logs a warning. */
  warn(message: string): void;
  /** Applies the delay that the source wants between two attempts, in ms. */
  onRetry(ms: number): void;
}

/** An open connection to a source. */
export interface SourceConnection {
  /** True if the source continues after the last durable event. Otherwise events may be missing. */
  readonly resumed: boolean;
  /**
   * The batches in order. The next one is only requested once the last one is durable, so that a slow log slows down the
   * source. Ends when the source closes the connection normally.
   * @throws {UpstreamFailure} if the connection breaks or the signal aborts.
   */
  readonly batches: AsyncIterable<SourceBatch>;
  /** Closes everything that belongs to the connection at once. Idempotent. */
  close(): void;
}

/** A source for the time from one start of its upstream to the next stop. */
export interface Source {
  /**
   * Makes one connection attempt to a target. Resolves to `undefined` if the source has no more events. Leaves nothing
   * open if it fails.
   * @throws {UpstreamFailure} an `upstream-…` code.
   */
  open(target: UpstreamTarget, attempt: Attempt): Promise<SourceConnection | undefined>;
  /**
   * Checks whether a target can be opened, without taking events from it or from another client of it.
   * @throws {UpstreamFailure} as `open` does.
   */
  probe(target: UpstreamTarget, signal: AbortSignal): Promise<ProbeResult>;
}

/** What a probe found: a source, or a source that has no more events. */
export type ProbeResult = "available" | "gone";

/** Creates the source of one run of an upstream. */
export type CreateSource = () => Source;

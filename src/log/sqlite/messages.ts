/** What the store and its writer thread say to each other. */
import type { Appended, Idempotency, Retention } from "../log.ts";
import type { Failure } from "./failure.ts";
import type { Loss } from "./losses.ts";

/** How a database is opened for writing. */
export interface DatabaseSettings {
  readonly path: string;
  readonly synchronous: "full" | "normal";
}

/** How a writer is started. */
export interface WriterSettings extends DatabaseSettings {
  /** Whether the streams are open already, under the epochs that they have: a loss is then a reason to refuse the start. */
  readonly resumed: boolean;
  /** See `exit-gate.ts`. */
  readonly exitGate: SharedArrayBuffer;
}

/** A stream to open for writing. */
export interface OpenStream {
  readonly stream: string;
  readonly retention: Retention;
}

/** Opens streams in one transaction; answered with an outcome for each. */
export interface OpenRequest {
  readonly kind: "open";
  readonly streams: readonly OpenStream[];
}

/** One batch. Its events are flat, since one long array is cloned faster than many small objects. */
export interface AppendRequest {
  /** Id of the stream. */
  readonly stream: number;
  /** The clock at the call, in ms since 1970. */
  readonly now: number;
  /** Type, data, channel, the source's and the publisher's id of the first event, then of the next: {@link eventWidth} texts each. */
  readonly events: readonly (string | undefined)[];
  readonly upstreamCursor: string | undefined;
  readonly idempotency: Idempotency | undefined;
}

/** How many places an event has in {@link AppendRequest}. */
export const eventWidth = 5;

/** Batches that share one transaction; answered with an outcome for each. */
export interface GroupRequest {
  readonly kind: "append";
  readonly appends: readonly AppendRequest[];
}

/** Applies retention; answered with the number of events removed. */
export interface TrimRequest {
  readonly kind: "trim";
  /** Id of the stream; `undefined` for every stream. */
  readonly stream: number | undefined;
  /** The clock, in ms since 1970. */
  readonly now: number;
}

/** Ends the thread; not answered. */
export interface CloseRequest {
  readonly kind: "close";
}

export type WriterCall = OpenRequest | GroupRequest | TrimRequest | CloseRequest;

/** A call with the number that its answer names. */
export interface WriterRequest {
  readonly id: number;
  readonly call: WriterCall;
}

/** A stream's row. */
export interface StreamState {
  readonly id: number;
  readonly epoch: string;
  readonly head: number;
  readonly earliest: number;
  readonly bytes: number;
  readonly lastTime: number;
  readonly upstreamCursor: string | undefined;
}

/** What became of one stream that was to be opened. */
export type OpenOutcome = StreamState | Failure;

/** A batch that was appended or found by its key. */
export interface AppendResult extends Appended {
  /** The time its events were given, in ms since 1970. */
  readonly time: number;
  /** Bytes held by the stream after it. */
  readonly bytes: number;
}

/** What became of one batch of a group. */
export type AppendOutcome = AppendResult | Failure;

/** What requests are answered with. */
export type WriterResult = readonly OpenOutcome[] | readonly AppendOutcome[] | number;

/** What a writer sends. */
export type WriterMessage =
  /** The database is open. It lacks these events, and their streams have new epochs. */
  | { readonly kind: "started"; readonly losses: readonly Loss[] }
  /** The database cannot be opened; the thread ends. */
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "answer"; readonly id: number; readonly result: WriterResult }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure }
  /** The heads cannot be written; said once. */
  | { readonly kind: "headless"; readonly failure: Failure }
  /** Retention has removed events of a stream. */
  | { readonly kind: "trimmed"; readonly stream: number; readonly earliest: number; readonly bytes: number };

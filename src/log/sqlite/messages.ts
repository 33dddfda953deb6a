/** The messages between the store and its writer thread. */
import type { StoredState, TrimBounds } from "../engine/driver.ts";
import type { Appended, Idempotency } from "../log.ts";
import type { Failure } from "./failure.ts";
import type { Loss } from "./losses.ts";

/** How a database is opened for writing. */
export interface DatabaseSettings {
  readonly path: string;
  readonly synchronous: "full" | "normal";
}

/** How a writer is started. */
export interface WriterSettings extends DatabaseSettings {
  /** Whether the store already has streams open, under their current epochs: then a loss makes the start fail. */
  readonly resumed: boolean;
  /** See `exit-gate.ts`. */
  readonly exitGate: SharedArrayBuffer;
}

/** Opens streams in one transaction; answered with an outcome for each. */
export interface OpenRequest {
  readonly kind: "open";
  /** Their names. */
  readonly streams: readonly string[];
}

/** One batch. Its events are flat, since one long array is cloned faster than many small objects. */
export interface AppendRequest {
  /** Id of the stream. */
  readonly stream: number;
  /** The clock at the call, in ms since 1970. */
  readonly now: number;
  /** {@link eventWidth} texts per event: type, data, channel, the source's id, the publisher's id. */
  readonly events: readonly (string | undefined)[];
  readonly upstreamCursor: string | undefined;
  readonly idempotency: Idempotency | undefined;
}

/** Number of texts per event in {@link AppendRequest}. */
export const eventWidth = 5;

/** Appends batches in one transaction; answered with an outcome for each. */
export interface GroupRequest {
  readonly kind: "append";
  readonly appends: readonly AppendRequest[];
}

/** Finds the outcomes of a group of one stream whose thread ended before it answered; none if it was not appended. */
export interface SettleRequest {
  readonly kind: "settle";
  readonly appends: readonly AppendRequest[];
  /** The head of the stream before the group. */
  readonly head: number;
}

/** Removes at most `limit` of the oldest events that retention does not keep; answered with a {@link TrimResult}. */
export interface TrimRequest {
  readonly kind: "trim";
  /** Id of the stream. */
  readonly stream: number;
  readonly bounds: TrimBounds;
  readonly limit: number;
}

/** Removes surplus idempotency keys of a stream that has more than `max`; answered with 0. */
export interface BoundKeysRequest {
  readonly kind: "bound-keys";
  readonly stream: number;
  readonly max: number;
}

/** Removes a stream that holds no events, with its idempotency keys; answered with 0. */
export interface RemoveRequest {
  readonly kind: "remove";
  /** Its id. */
  readonly stream: number;
}

/** Removes at most `limit` idempotency keys from before a time; answered with their number. */
export interface PruneRequest {
  readonly kind: "prune";
  readonly before: number;
  readonly limit: number;
}

/** Ends the thread; not answered. */
export interface CloseRequest {
  readonly kind: "close";
}

export type WriterCall =
  | OpenRequest
  | GroupRequest
  | SettleRequest
  | TrimRequest
  | BoundKeysRequest
  | RemoveRequest
  | PruneRequest
  | CloseRequest;

/** A call with an id that its answer repeats. */
export interface WriterRequest {
  readonly id: number;
  readonly call: WriterCall;
}

/** A stream's row. */
export interface StreamRow extends Omit<StoredState, "revision"> {
  readonly id: number;
}

/** The outcome of opening one stream. */
export type OpenOutcome = StreamRow | Failure;

/** A batch that was appended, or found by its idempotency key. */
export interface AppendResult extends Appended {
  /** The time of its events, in ms since 1970. */
  readonly time: number;
  /** Bytes that the stream holds after the batch. */
  readonly bytes: number;
}

/** The outcome of one batch of a group. */
export type AppendOutcome = AppendResult | Failure;

/** The result of a step of retention. */
export interface TrimResult {
  readonly removed: number;
  readonly row: StreamRow;
}

/** The result of a request. */
export type WriterResult =
  | readonly OpenOutcome[]
  | readonly AppendOutcome[]
  | readonly Appended[]
  | TrimResult
  | number;

/** A message from the writer. */
export type WriterMessage =
  /** The database is open. `losses`: the events that it has lost; their streams have new epochs. */
  | { readonly kind: "started"; readonly losses: readonly Loss[] }
  /** The database cannot be opened; the thread ends. */
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "answer"; readonly id: number; readonly result: WriterResult }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure }
  /** The heads cannot be written; sent once. */
  | { readonly kind: "headless"; readonly failure: Failure };

import { SpillwayError } from "../../errors.ts";
import type { StoredState } from "../engine/driver.ts";
import type { Reply } from "./driver.ts";

/** The version of what is stored. A log of a later one is not touched. */
export const format = 1;

/** The keys of one log. They have a hash tag in common, so that they lie on one server of a Cluster. */
export interface Keys {
  /** Hash: `format`, `epoch`, `head`, `earliest`, `bytes`, `lastTime`, `cursor`. */
  readonly meta: string;
  /** Hash: the ids of ingested events, each with the number of its latest event. */
  readonly ids: string;
  /** Sorted set of all other events with an id: published ones, and ones whose id a later event repeats; see `places.ts`. */
  readonly places: string;
  /** Hash: the idempotency keys, each with what was appended under it. */
  readonly keys: string;
  /** Sorted set: the idempotency keys by the time they were used. */
  readonly ages: string;
  /** Hash: what each node's store appended last; see `log-driver.ts`. */
  readonly senders: string;
  /** Hash: `fence`, and while there is a holder `owner`, `node`, `until`. */
  readonly lease: string;
  /** Hash: until when each node needs the stream. */
  readonly wants: string;
}

/** Names the keys of a stream's log. */
export function keysOf(prefix: string, stream: string): Keys {
  const base = `{${prefix}:${stream}}`;
  return {
    meta: `${base}:meta`,
    ids: `${base}:ids`,
    places: `${base}:places`,
    keys: `${base}:keys`,
    ages: `${base}:ages`,
    senders: `${base}:senders`,
    lease: `${base}:lease`,
    wants: `${base}:wants`,
  };
}

/**
 * Names the key of the events: a Redis stream, whose ids are `<seq>-0`. It is another one in each epoch: whoever still follows the
 * events of an epoch that is over sees no event of the next one, whose numbers may be the same.
 */
export function eventsKey(prefix: string, stream: string, epoch: string): string {
  return `{${prefix}:${stream}}:events:${epoch}`;
}

/** The fields of `meta` that {@link toState} reads, in order. */
export const stateFields: readonly string[] = ["epoch", "head", "earliest", "bytes", "lastTime", "cursor"];

/**
 * Reads what `HMGET` answered for {@link stateFields}; `undefined` if there is no log.
 * @throws {SpillwayError} `store-corrupt`
 */
export function toState(reply: Reply): StoredState | undefined {
  const [epoch, head, earliest, bytes, lastTime, cursor] = reply as readonly (Buffer | null)[];
  if (!epoch) return undefined;
  const state = {
    epoch: epoch.toString(),
    head: Number(head ?? NaN),
    earliest: Number(earliest ?? NaN),
    bytes: Number(bytes ?? NaN),
    lastTime: Number(lastTime ?? NaN),
    upstreamCursor: cursor?.toString(),
  };
  if ([state.head, state.earliest, state.bytes, state.lastTime].some(Number.isNaN)) {
    throw new SpillwayError("store-corrupt", "the log's record on the server is damaged");
  }
  return { ...state, revision: revisionOf(state) };
}

/**
 * Orders the states of one epoch by their head, and those with the same head by what is still held. The tail reports a head without
 * what was trimmed meanwhile, so the sum of both would not do.
 */
export function revisionOf({ head, earliest }: Pick<StoredState, "head" | "earliest">): number {
  return head + earliest / (head + 2);
}

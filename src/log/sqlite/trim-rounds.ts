import { toFailure, type Failure } from "./failure.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import type { Stream, Streams } from "./streams.ts";
import type { Trimmer } from "./trimmer.ts";

/** One pass of retention over some streams. */
export interface TrimRound {
  /** Ids of the streams. */
  readonly streams: readonly number[];
  /** The clock at its start, in ms since 1970. */
  readonly now: number;
  /** Called after each step that removed something. */
  onTrimmed(stream: Stream): void;
  /** Called at the end, with the number of events removed. */
  onDone(removed: number): void;
  onFailed(failure: Failure): void;
}

/** Works off rounds in small steps, so that appends get their turn in between. */
export interface TrimRounds {
  add(round: TrimRound): void;
  /** Says how many events were just appended: the next step grows with them, so that trimming always catches up. */
  appended(events: number): void;
  /** Takes no further step. */
  stop(): void;
}

/** Events that a step removes while nothing is appended: a few milliseconds of work. */
const stepSize = 500;

/** Makes the queue of rounds of a writer, empty. Each step is done within `pass`. */
export function createTrimRounds(
  streams: Streams,
  trimmer: Trimmer,
  keys: IdempotencyKeys,
  pass: (work: () => void) => void,
): TrimRounds {
  const rounds: { readonly round: TrimRound; readonly left: number[]; removed: number }[] = [];
  let appended = 0;
  let next: NodeJS.Immediate | undefined;

  /** Returns whether the first round is over. */
  function step(): boolean {
    const { round, left } = rounds[0]!;
    const limit = Math.max(stepSize, 2 * appended);
    appended = 0;
    if (left.length === 0) return keys.prune(round.now, limit) < limit;
    const stream = streams.get(left[0]!);
    const removed = trimmer.step(stream, round.now, limit);
    rounds[0]!.removed += removed;
    if (removed > 0) round.onTrimmed(streams.get(stream.id));
    if (removed < limit) {
      left.shift();
      if (stream.retention.keys !== undefined) keys.bound(stream.id, stream.retention.keys);
    }
    return false;
  }

  function takeStep(): void {
    next = undefined;
    try {
      if (step()) finish();
    } catch (error) {
      rounds.shift()!.round.onFailed(toFailure(error));
    }
    schedule();
  }

  function finish(): void {
    const { round, removed } = rounds.shift()!;
    round.onDone(removed);
  }

  function schedule(): void {
    if (rounds.length > 0) next ??= setImmediate(() => pass(takeStep));
  }

  return {
    add(round) {
      const left = round.streams.filter((id) => trimmer.isDue(streams.get(id), round.now));
      rounds.push({ round, left, removed: 0 });
      schedule();
    },
    appended(events) {
      if (rounds.length > 0) appended += events;
    },
    stop: () => clearImmediate(next),
  };
}

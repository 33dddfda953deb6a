import type { Appended, AppendOptions, NewEvent } from "../log.ts";
import type { Failure } from "./failure.ts";

/** One batch. */
export interface AppendRequest {
  readonly events: readonly NewEvent[];
  readonly options: AppendOptions;
  /** The clock at the call, in ms since 1970. */
  readonly now: number;
}

/** A batch that was appended or found by its key. */
export interface AppendResult extends Appended {
  /** The time its events were given, in ms since 1970. */
  readonly time: number;
}

/** What became of a batch. */
export type AppendOutcome = AppendResult | Failure;

/** An append that waits for its turn. */
export interface QueuedAppend {
  readonly request: AppendRequest;
  settle(outcome: AppendOutcome): void;
}

/** Gathers appends into groups: what is called while a transaction is under way shares the next one. */
export interface AppendQueue {
  push(append: QueuedAppend): void;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
}

/** A group ends with the append that reaches one of these: it bounds the time and the memory of a transaction. */
const groupEvents = 4_096;
const groupCharacters = 8 * 1024 * 1024;

/** Makes an empty queue. `append` answers each request of a group, and never rejects. */
export function createAppendQueue(
  append: (requests: readonly AppendRequest[]) => Promise<readonly AppendOutcome[]>,
): AppendQueue {
  const queue: QueuedAppend[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    // Not at once: the appends of one turn are to go together.
    await Promise.resolve();
    while (queue.length > 0) {
      const group = queue.splice(0, groupLength(queue));
      const outcomes = await append(group.map(({ request }) => request));
      for (const [index, each] of group.entries()) each.settle(outcomes[index]!);
    }
    working = undefined;
  }

  return {
    push(each) {
      queue.push(each);
      working ??= work();
    },
    idle: async () => working,
  };
}

function groupLength(queue: readonly QueuedAppend[]): number {
  let events = 0;
  let characters = 0;
  for (const [index, { request }] of queue.entries()) {
    events += request.events.length;
    for (const event of request.events) characters += event.data.length;
    if (events >= groupEvents || characters >= groupCharacters) return index + 1;
  }
  return queue.length;
}

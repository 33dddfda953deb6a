import type { Failure } from "./failure.ts";
import { eventWidth, type AppendOutcome, type AppendRequest } from "./messages.ts";

/** An append that waits for its turn. */
export interface QueuedAppend {
  readonly request: AppendRequest;
  settle(outcome: AppendOutcome): void;
}

/** Sends one group of appends, and calls back once. */
export type SendGroup = (
  appends: readonly AppendRequest[],
  onOutcomes: (outcomes: readonly AppendOutcome[]) => void,
  onFailure: (failure: Failure) => void,
) => void;

/** Gathers appends into groups: what is called while a transaction is under way shares the next one. */
export interface AppendQueue {
  push(append: QueuedAppend): void;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
}

/** One group is being committed, one lies ready, so that the writer never waits for this thread. */
const maxGroupsUnderWay = 2;

/** A group ends with the append that reaches one of these: it bounds the time and the memory of a transaction. */
const groupEvents = 4_096;
const groupCharacters = 8 * 1024 * 1024;

/** Makes an empty queue. */
export function createAppendQueue(send: SendGroup): AppendQueue {
  const queue: QueuedAppend[] = [];
  const idlers: (() => void)[] = [];
  let groupsUnderWay = 0;

  function sendNext(): void {
    const group = queue.splice(0, groupLength(queue));
    groupsUnderWay++;
    send(
      group.map(({ request }) => request),
      (outcomes) => settle(group, (index) => outcomes[index]!),
      (failure) => settle(group, () => failure),
    );
  }

  function settle(group: readonly QueuedAppend[], outcomeOf: (index: number) => AppendOutcome): void {
    groupsUnderWay--;
    for (const [index, append] of group.entries()) append.settle(outcomeOf(index));
    sendAll();
  }

  function sendAll(): void {
    while (queue.length > 0 && groupsUnderWay < maxGroupsUnderWay) sendNext();
    if (queue.length === 0 && groupsUnderWay === 0) for (const resolve of idlers.splice(0)) resolve();
  }

  return {
    push(append) {
      // Not at once: the appends of one turn are to go together.
      if (queue.push(append) === 1) queueMicrotask(sendAll);
    },
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        sendAll();
      }),
  };
}

function groupLength(queue: readonly QueuedAppend[]): number {
  let events = 0;
  let characters = 0;
  for (const [index, { request }] of queue.entries()) {
    events += request.events.length / eventWidth;
    for (const text of request.events) characters += text?.length ?? 0;
    if (events >= groupEvents || characters >= groupCharacters) return index + 1;
  }
  return queue.length;
}

import type { Appended, NewEvent } from "../log.ts";
import { SpillwayError } from "../../errors.ts";
import type { BatchOutcome } from "./driver.ts";

/** What a queue looks at of an append. */
interface Sized {
  readonly events: readonly NewEvent[];
}

/** Group commit: appends that are called while a group is under way share the next one. */
export interface AppendQueue<Append extends Sized> {
  append(append: Append): Promise<Appended>;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
}

/** What one group holds, at most, but for its last append. */
export interface GroupBounds {
  readonly events: number;
  /** Of data. */
  readonly characters: number;
}

/** How a queue makes up its groups. */
export interface AppendQueueOptions<Append extends Sized> {
  /** Sends a group; resolves to what became of each append, and never rejects. */
  send(group: readonly Append[]): Promise<readonly BatchOutcome[]>;
  /** How many of the appends that wait make up the next group; at least one. Default: {@link groupLength}. */
  groupLength?: ((appends: readonly Append[]) => number) | undefined;
  /** Groups that may be under way at once. Default: 1. */
  underWay?: number | undefined;
}

/** A group ends with the append that reaches one of these: it bounds the time and the memory of a transaction. */
const groupBounds: GroupBounds = { events: 4_096, characters: 8 * 1024 * 1024 };

/** Makes an empty queue. */
export function createAppendQueue<Append extends Sized>(options: AppendQueueOptions<Append>): AppendQueue<Append> {
  const { send, groupLength: lengthOf = groupLength, underWay: maxUnderWay = 1 } = options;
  const queue: Append[] = [];
  const settlers: ((outcome: BatchOutcome) => void)[] = [];
  const idlers: (() => void)[] = [];
  let underWay = 0;

  async function sendNext(): Promise<void> {
    const length = lengthOf(queue);
    const group = queue.splice(0, length);
    const settling = settlers.splice(0, length);
    underWay++;
    const outcomes = await send(group);
    underWay--;
    for (const [index, settle] of settling.entries()) settle(outcomes[index]!);
    sendAll();
  }

  function sendAll(): void {
    while (queue.length > 0 && underWay < maxUnderWay) void sendNext();
    if (queue.length === 0 && underWay === 0) for (const resolve of idlers.splice(0)) resolve();
  }

  return {
    append: (append) =>
      new Promise((resolve, reject) => {
        settlers.push((outcome) => (outcome instanceof SpillwayError ? reject(outcome) : resolve(outcome)));
        if (queue.push(append) === 1) afterReads(sendAll);
      }),
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        sendAll();
      }),
  };
}

/** What {@link afterReads} runs next. */
let due: (() => void)[] = [];

/**
 * Runs this once the sockets that are readable in this turn of the event loop were read, so that their appends share a
 * group; for all queues in one go, so that a store can put the groups of several logs into one transaction.
 */
function afterReads(run: () => void): void {
  if (due.push(run) > 1) return;
  setImmediate(() => {
    const runs = due;
    due = [];
    for (const each of runs) each();
  });
}

/** How many of the appends that wait make up the next group: it ends with the one that reaches one of the bounds. */
export function groupLength(appends: readonly Sized[], bounds: GroupBounds = groupBounds): number {
  let events = 0;
  let characters = 0;
  for (const [index, append] of appends.entries()) {
    events += append.events.length;
    for (const { data } of append.events) characters += data.length;
    if (events >= bounds.events || characters >= bounds.characters) return index + 1;
  }
  return appends.length;
}

import type { Appended, AppendOptions, NewEvent } from "../log.ts";
import { encodeEvents } from "./body.ts";
import { textBytes } from "../event-bytes.ts";

/** An append that waits for its turn. */
export interface QueuedAppend {
  readonly events: readonly NewEvent[];
  readonly options: AppendOptions;
  /** The events as they are stored, and the length of that in bytes. */
  readonly text: string;
  readonly length: number;
  /** Bytes of the events' texts. */
  readonly size: number;
  /** The same for the same append only. */
  readonly identity: string;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

/** Gathers appends into groups: what is called while a message is under way shares the next one. */
export interface AppendQueue {
  push(append: QueuedAppend): void;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
}

/** A message has at most so many events, so that who wants one of them need not read very many. */
const groupEvents = 4_096;

/** Makes an empty queue. `send` never rejects; `maxLength` is that of the texts of one group together. */
export function createAppendQueue(
  send: (group: readonly QueuedAppend[]) => Promise<void>,
  maxLength: () => number,
): AppendQueue {
  const queue: QueuedAppend[] = [];
  let sending: Promise<void> | undefined;

  async function sendAll(): Promise<void> {
    // Not at once: the appends of one turn are to go together.
    await Promise.resolve();
    while (queue.length > 0) await send(queue.splice(0, groupLength(queue, maxLength())));
    sending = undefined;
  }

  return {
    push(append) {
      queue.push(append);
      sending ??= sendAll();
    },
    async idle() {
      while (sending) await sending;
    },
  };
}

/** Makes a queued append. Throws for what is no text. */
export function queuedAppend(
  events: readonly NewEvent[],
  options: AppendOptions,
  resolve: (appended: Appended) => void,
  reject: (error: unknown) => void,
): QueuedAppend {
  const size = events.reduce((sum, event) => sum + textBytes(event), 0);
  const text = encodeEvents(events);
  const { upstreamCursor, fence } = options;
  const identity = JSON.stringify([upstreamCursor ?? null, fence ?? null]) + text;
  return { events, options, text, length: Buffer.byteLength(text), size, identity, resolve, reject };
}

/** One with an idempotency key goes alone, since its subject is the key's; so does one that is too large for a message. */
function groupLength(queue: readonly QueuedAppend[], maxLength: number): number {
  let [count, events, length] = [0, 0, 0];
  for (const append of queue) {
    const alone = append.options.idempotency !== undefined;
    length += append.length + 1;
    events += append.events.length;
    if (count > 0 && (alone || length > maxLength || events > groupEvents)) return count;
    count++;
    if (alone) return count;
  }
  return count;
}

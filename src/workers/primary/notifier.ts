import type { OwnSource } from "../../gateway/source.ts";
import type { Log, LogEvent, LogHint } from "../../log/log.ts";
import type { Channel } from "../ipc/channel.ts";
import { encodeFrame } from "../ipc/frame.ts";
import type { Hint, ToWorker } from "../ipc/messages.ts";

/** Notifies one worker of changes. The memory that it takes in the primary is bounded, even if the worker is slow. */
export interface Notifier {
  /**
   * Sends a notification about a topic. A worker that does not keep up gets only the last `reminder` of each topic
   * instead, once it has read everything sent before.
   */
  notify(topic: string, full: () => Buffer, reminder: () => Buffer): void;
  /** Must be called when the channel has drained. */
  onDrain(): void;
}

/** The largest number of unsent bytes for one worker. */
export const notifierLimit: number = 8 * 1024 * 1024;

/** Creates the notifier of a channel. */
export function createNotifier(
  channel: Pick<Channel<ToWorker>, "sendFrame" | "unsent">,
  limit: number = notifierLimit,
): Notifier {
  const late = new Map<string, () => Buffer>();
  return {
    notify(topic, full, reminder) {
      if (channel.unsent > limit) return void late.set(topic, reminder);
      // A reminder kept for the topic is older.
      late.delete(topic);
      const frame = full();
      channel.sendFrame(channel.unsent + frame.length > limit ? reminder() : frame);
    },
    onDrain() {
      for (const reminder of late.values()) channel.sendFrame(reminder());
      late.clear();
    },
  };
}

/** Creates the function that notifies the workers of a source's new events and of its upstream's state. */
export function createForwarding(notifiers: () => Notifier[]): (stream: string, source: OwnSource) => void {
  const followed = new WeakSet<Log>();
  return (stream, source) => {
    // A stream that is removed and added again has the same log.
    if (!followed.has(source.log)) forwardHints(stream, source.log, notifiers);
    followed.add(source.log);
    source.onUpstream((state) => {
      const frame = encodeFrame({ kind: "upstream", stream, state } satisfies ToWorker);
      const encoded = (): Buffer => frame;
      for (const notifier of notifiers()) notifier.notify(`upstream ${stream}`, encoded, encoded);
    });
  };
}

/** Forwards a log's hints to the notifiers. Hints of one turn of the event loop are combined and encoded once. */
export function forwardHints(stream: string, log: Log, notifiers: () => Iterable<Notifier>): void {
  let waiting: LogHint[] = [];

  function flush(): void {
    const { head, earliest } = waiting.at(-1)!;
    const events = eventsUpTo(head, waiting);
    waiting = [];
    const bare: Hint = { kind: "hint", stream, head, earliest };
    const reminder = encodedOnce(bare);
    const full = events.length === 0 ? reminder : encodedOnce({ ...bare, events });
    for (const notifier of notifiers()) notifier.notify(`hint ${stream}`, full, reminder);
  }

  log.watch((hint) => {
    if (waiting.push(hint) === 1) queueMicrotask(flush);
  });
}

/**
 * The events of all hints if they are contiguous and small enough to send; otherwise none, so that the workers read the
 * log.
 */
function eventsUpTo(head: number, hints: readonly LogHint[]): LogEvent[] {
  const events = hints.flatMap((hint) => hint.events ?? []);
  const whole = events.at(-1)?.seq === head && events[0]!.seq === head - events.length + 1;
  return whole && events.reduce((sum, { data }) => sum + data.length, 0) <= notifierLimit ? events : [];
}

function encodedOnce(hint: Hint): () => Buffer {
  let frame: Buffer | undefined;
  return () => (frame ??= encodeFrame(hint));
}

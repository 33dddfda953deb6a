import type { Log, LogEvent, LogHint } from "../log/log.ts";
import { feedLimit, type Feed } from "./feed.ts";
import { encodeFrame } from "./frame.ts";
import type { Hint } from "./messages.ts";

/** Passes a log's hints on to the feeds: those of one turn together, and encoded once for all. */
export function followLog(stream: string, log: Log, feeds: () => Iterable<Feed>): void {
  let waiting: LogHint[] = [];

  function flush(): void {
    const { head, earliest } = waiting.at(-1)!;
    const events = eventsUpTo(head, waiting);
    waiting = [];
    const bare: Hint = { kind: "hint", stream, head, earliest };
    const reminder = encodedOnce(bare);
    const news = events.length === 0 ? reminder : encodedOnce({ ...bare, events });
    for (const feed of feeds()) feed.tell(`hint ${stream}`, news, reminder);
  }

  log.watch((hint) => {
    if (waiting.push(hint) === 1) queueMicrotask(flush);
  });
}

/** The events of all hints, if they leave out nothing and are not too much to be handed over: else the workers read the log. */
function eventsUpTo(head: number, hints: readonly LogHint[]): LogEvent[] {
  const events = hints.flatMap((hint) => hint.events ?? []);
  const whole = events.at(-1)?.seq === head && events[0]!.seq === head - events.length + 1;
  return whole && events.reduce((sum, { data }) => sum + data.length, 0) <= feedLimit ? events : [];
}

function encodedOnce(hint: Hint): () => Buffer {
  let frame: Buffer | undefined;
  return () => (frame ??= encodeFrame(hint));
}

import type { Log, LogEvent, LogFilter, NewEvent } from "../log/log.ts";

/** Makes an event to append. Default: type `message`, no channel, no upstream id, ingested. */
export function newEvent(data: string, rest: Partial<NewEvent> = {}): NewEvent {
  return { event: "message", data, channel: undefined, upstreamId: undefined, published: undefined, ...rest };
}

/** Makes events whose data is `from` to `to`. */
export function numbered(from: number, to: number): NewEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => newEvent(String(from + index)));
}

/** The data of events, which is all that most facts compare. */
export function dataOf(events: readonly NewEvent[]): string[] {
  return events.map(({ data }) => data);
}

/** The data of `numbered(from, to)`. */
export function numbers(from: number, to: number): string[] {
  return dataOf(numbered(from, to));
}

/** Reads all events after `after`, page by page. */
export async function readAll(log: Log, after = 0, filter?: LogFilter, limit = 1_000): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for (let scanned = after; ;) {
    const page = await log.read(scanned, { filter, limit });
    events.push(...page.events);
    if (page.scanned >= log.state().head) return events;
    if (page.scanned <= scanned) throw new Error(`a page after ${scanned} ends at ${page.scanned}: no progress`);
    ({ scanned } = page);
  }
}

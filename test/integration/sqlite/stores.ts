import type { Log, LogEvent, LogStore, NewEvent } from "../../../src/log/log.ts";

/** Opens a stream of which everything is kept. */
export function openAll(store: LogStore, stream = "s"): Promise<Log> {
  return store.open(stream, { retention: { age: undefined, events: undefined, bytes: undefined } });
}

/** Events with these texts. */
export function eventsOf(...texts: string[]): NewEvent[] {
  return texts.map((data) => ({ event: "message", data, channel: undefined, upstreamId: undefined }));
}

/** Everything that is held. */
export async function readAll(log: Log): Promise<readonly LogEvent[]> {
  const all: LogEvent[] = [];
  for (let after = 0; ;) {
    const { events, scanned } = await log.read(after, { limit: 1_000_000 });
    all.push(...events);
    if (scanned >= log.state().head) return all;
    after = scanned;
  }
}

import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../../../src/upstream/upstream.ts";

/** What a log would hold: the delivered batches, put together. */
export interface LoggedHistory extends UpstreamHistory {
  readonly events: UpstreamEvent[];
  /** Takes a batch as the log does: events and cursor together. */
  append(batch: UpstreamBatch): void;
}

export function createLoggedHistory(): LoggedHistory {
  const events: UpstreamEvent[] = [];
  let cursor: string | undefined;
  return {
    events,
    append(batch) {
      events.push(...batch.events);
      if (batch.cursor !== undefined) cursor = batch.cursor;
    },
    cursor: () => cursor || undefined,
    hasEvents: () => events.length > 0,
    hasId: (id) => Promise.resolve(events.some((event) => event.id === id)),
    async *unnamedAfter(id) {
      const at = events.findLastIndex((event) => event.id === id);
      if (at < 0) return;
      // Also what is appended while they are asked for.
      for (let next = at + 1; next < events.length && events[next]!.id === undefined; next++) yield events[next]!;
    },
  };
}

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
    afterCursor(id, limit) {
      const at = events.findLastIndex((event) => event.id === id);
      const behind = at < 0 ? [] : events.slice(at + 1);
      return Promise.resolve(behind.filter((event) => event.id === undefined).slice(0, limit));
    },
  };
}

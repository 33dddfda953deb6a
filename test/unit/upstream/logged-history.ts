import type { StoredEvent, UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../../../src/upstream/upstream.ts";

/** What a log would hold: the delivered batches, put together. */
export interface LoggedHistory extends UpstreamHistory {
  readonly events: UpstreamEvent[];
  /** Takes a batch as the log does: events and cursor together. */
  append(batch: UpstreamBatch): void;
}

/** @param transform what is stored in the place of an event. Default: the event as it is. */
export function createLoggedHistory(transform?: (event: UpstreamEvent) => readonly StoredEvent[]): LoggedHistory {
  const events: UpstreamEvent[] = [];
  let cursor: string | undefined;

  /** Only the last event has the id. */
  function resultsOf(event: UpstreamEvent): UpstreamEvent[] {
    const results = transform?.(event) ?? [event];
    const last = results.length - 1;
    return results.map(({ event: type, data }, i) => ({ event: type, data, id: i === last ? event.id : undefined }));
  }

  return {
    events,
    append(batch) {
      events.push(...batch.events.flatMap(resultsOf));
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
    ...(transform && { storedAs: (event: UpstreamEvent) => Promise.resolve(transform(event)) }),
  };
}

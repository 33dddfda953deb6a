import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../upstream/upstream.ts";

/** Ids and events remembered, so that a tail that runs for weeks stays small. */
const limit = 10_000;

/** What `tail` has printed: enough of it to tell an event that is sent again. */
export interface TailHistory extends UpstreamHistory {
  /** Remembers what was printed. */
  add(batch: UpstreamBatch): void;
}

/** A history in memory that begins behind `lastEventId`. */
export function createTailHistory(lastEventId: string | undefined): TailHistory {
  const ids = new Set<string>(lastEventId === undefined ? [] : [lastEventId]);
  let cursor = lastEventId;
  let lastId = lastEventId;
  let withoutId: UpstreamEvent[] = [];
  let received = false;

  return {
    cursor: () => cursor,
    hasEvents: () => received,
    hasId: async (id) => ids.has(id),
    async *unnamedAfter(id) {
      if (id === lastId) yield* withoutId;
    },
    add(batch) {
      for (const event of batch.events) remember(event);
      cursor = batch.cursor ?? cursor;
      received ||= batch.events.length > 0;
    },
  };

  function remember(event: UpstreamEvent): void {
    if (!event.id) {
      if (withoutId.length < limit) withoutId.push(event);
      return;
    }
    ids.add(event.id);
    if (ids.size > limit) ids.delete(ids.values().next().value!);
    lastId = event.id;
    withoutId = [];
  }
}

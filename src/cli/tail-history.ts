import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../upstream/upstream.ts";

/** The largest number of ids, and of events without an id, kept in memory. */
const limit = 10_000;

/** What `tail` has printed, to recognize events that the source sends again. */
export interface TailHistory extends UpstreamHistory {
  /** Adds a printed batch. */
  add(batch: UpstreamBatch): void;
}

/** Creates a history in memory that begins after `lastEventId`. */
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

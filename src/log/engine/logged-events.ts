import { SpillwayError } from "../../errors.ts";
import type { LogEvent, NewEvent } from "../log.ts";
import type { Batch, BatchOutcome } from "./driver.ts";

/** An event as it stands in the log. */
export function toLogEvent(
  { event, data, channel, upstreamId, published }: NewEvent,
  seq: number,
  time: number,
): LogEvent {
  return { seq, time, event, data, channel, upstreamId, published };
}

/** The events of a group as they stand in the log; `timeOf` gives the time of a batch, by its place in the group. */
export function loggedEvents(
  group: readonly Batch[],
  outcomes: readonly BatchOutcome[],
  timeOf: (place: number) => number,
): LogEvent[] {
  return group.flatMap(({ events }, place) => {
    const outcome = outcomes[place]!;
    if (outcome instanceof SpillwayError || outcome.replayed) return [];
    return events.map((event, index) => toLogEvent(event, outcome.first + index, timeOf(place)));
  });
}

/**
 * Tables have a column for each origin of an id, so that an index on one of them holds no id of the other. This is what an ingested event
 * has in the source's.
 */
export function sourceIdOf({ upstreamId, published }: NewEvent): string | undefined {
  return published ? undefined : upstreamId;
}

/** What an event has in the publisher's column: `""` if it was published without an id; absent if it was ingested. */
export function publisherIdOf({ upstreamId, published }: NewEvent): string | undefined {
  return published ? (upstreamId ?? "") : undefined;
}

/** An event's id and origin, out of the two columns. */
export function originOf(
  sourceId: string | undefined,
  publisherId: string | undefined,
): Pick<NewEvent, "upstreamId" | "published"> {
  return publisherId === undefined
    ? { upstreamId: sourceId, published: undefined }
    : { upstreamId: publisherId || undefined, published: true };
}

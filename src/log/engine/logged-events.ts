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

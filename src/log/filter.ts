import { matchesGlob } from "../util/glob.ts";
import { reservedPrefix, type LogFilter, type NewEvent } from "./log.ts";

/** Whether a subscriber with this filter gets the event. Spillway's own events pass every filter. */
export function matches(filter: LogFilter | undefined, event: NewEvent): boolean {
  if (!matchesNames(filter, event)) return false;
  if (filter?.where === undefined || event.event.startsWith(reservedPrefix)) return true;
  return filter.where.every((condition) => condition.matches(event));
}

/** Whether the filter's names and patterns match the event. */
export function matchesNames(filter: LogFilter | undefined, event: Pick<NewEvent, "event" | "channel">): boolean {
  if (filter === undefined || event.event.startsWith(reservedPrefix)) return true;
  const { channels, events, within } = filter;
  if (channels && (event.channel === undefined || !channels.includes(event.channel))) return false;
  if (events && !events.includes(event.event)) return false;
  if (!within) return true;
  const inChannel =
    event.channel === undefined ? within.broadcast === true || !within.channels : fits(within.channels, event.channel);
  return inChannel && fits(within.events, event.event);
}

function fits(patterns: readonly string[] | undefined, name: string): boolean {
  return !patterns || patterns.some((pattern) => matchesGlob(pattern, name));
}

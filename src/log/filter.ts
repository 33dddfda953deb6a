import { reservedPrefix, type LogFilter, type NewEvent } from "./log.ts";

/** Whether a subscriber with this filter is to see the event. Spillway's own events are for everyone. */
export function matches(filter: LogFilter | undefined, event: NewEvent): boolean {
  if (filter === undefined || event.event.startsWith(reservedPrefix)) return true;
  const { channels, events } = filter;
  if (channels && (event.channel === undefined || !channels.includes(event.channel))) return false;
  return !events || events.includes(event.event);
}

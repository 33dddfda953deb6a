import { neverClosed } from "../hub/subscriber.ts";
import type { SubscriberStats } from "./gateway-status.ts";

/** The statistics of a stream that never had a subscriber. */
export const noSubscribers: SubscriberStats = {
  subscribers: 0,
  filters: 0,
  lag: 0,
  unsent: 0,
  delivered: 0,
  sentBytes: 0,
  replayed: 0,
  gaps: 0,
  filterErrors: 0,
  closed: neverClosed,
};

/** Whether two statistics are equal. */
export function isSameStats(a: SubscriberStats, b: SubscriberStats): boolean {
  return isSame({ ...a, closed: 0 }, { ...b, closed: 0 }) && isSame(a.closed, b.closed);
}

function isSame(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  for (const name in a) if (a[name] !== b[name]) return false;
  return true;
}

/** Combines two statistics: the larger lag, and the sum of everything else. */
export function addStats(a: SubscriberStats, b: SubscriberStats): SubscriberStats {
  return { ...addNumbers(a, b), lag: Math.max(a.lag, b.lag), closed: addNumbers(a.closed, b.closed) };
}

/** The sums of two records of numbers with the same names. */
export function addNumbers<Counts extends object>(a: Counts, b: Counts): Counts {
  const sums = Object.entries(a as Record<string, number>).map(([name, value]) => [
    name,
    value + (b as Record<string, number>)[name]!,
  ]);
  return Object.fromEntries(sums) as Counts;
}

/** The statistics to keep of a process that has ended: its counters, without connected subscribers. */
export function withoutConnected(stats: SubscriberStats): SubscriberStats {
  return { ...stats, subscribers: 0, filters: 0, lag: 0, unsent: 0 };
}

/** The number of subscribers over all streams. */
export function countSubscribers(stats: Readonly<Record<string, SubscriberStats>>): number {
  return Object.values(stats).reduce((sum, { subscribers }) => sum + subscribers, 0);
}

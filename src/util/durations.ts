/**
 * Whole milliseconds since the process started, from a monotonic clock. V8 stores such a small integer inside the
 * object that holds it; a time since 1970 would be a separate heap object that is loaded at every delivery.
 */
export function monotonicMs(): number {
  return Math.trunc(performance.now());
}

/** Upper bounds of the buckets that durations are counted in, in seconds; the last bucket is unbounded. */
export const durationBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** A histogram of durations. Plain numbers, so that it can be sent to another process. */
export interface Durations {
  /** Number of durations in each bucket; there is one bucket more than there are bounds. */
  readonly counts: number[];
  /** Sum of all durations, in seconds. */
  sum: number;
}

/** Makes an empty histogram. */
export function createDurations(): Durations {
  return { counts: new Array<number>(durationBounds.length + 1).fill(0), sum: 0 };
}

/** Counts a duration that began at `begun`, by `performance.now()`, and ends now. */
export function countSince(durations: Durations, begun: number): void {
  countDuration(durations, (performance.now() - begun) / 1000);
}

/** Counts a duration, in seconds. */
export function countDuration(durations: Durations, seconds: number): void {
  const bucket = durationBounds.findIndex((bound) => seconds <= bound);
  durations.counts[bucket === -1 ? durationBounds.length : bucket]!++;
  durations.sum += seconds;
}

/** Bounds of the delay between two attempts, in ms. */
export interface BackoffBounds {
  /** The shortest delay, from which the ceiling starts doubling. */
  readonly min: number;
  /** The highest value of the ceiling. */
  readonly max: number;
}

/**
 * The delay before the next attempt, in ms: uniformly random ("full jitter") between a floor and a ceiling that doubles
 * with each consecutive failure, so that clients that failed together do not retry together.
 *
 * @param failures number of consecutive failures, from 1
 * @param floor the wait that the server asked for, in ms: raises the lower bound, even above `max`
 * @param random a number from 0 up to 1, such as from `Math.random()`
 */
export function backoffDelay(failures: number, bounds: BackoffBounds, floor: number, random: number): number {
  // At least 1 ms, because doubling zero would retry without any delay.
  const low = Math.max(bounds.min, floor, 1);
  const ceiling = Math.max(low, Math.min(bounds.max, low * 2 ** failures));
  return low + random * (ceiling - low);
}

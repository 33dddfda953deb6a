/** Bounds of the delay between two attempts, in ms. */
export interface BackoffBounds {
  /** The shortest delay, and what the ceiling starts from. */
  readonly min: number;
  /** Where the ceiling stops doubling. */
  readonly max: number;
}

/**
 * The delay before the next attempt, in ms: evenly random ("full jitter") between a floor and a ceiling that doubles with each
 * failure in a row, so that many clients of one server that failed together do not retry together.
 *
 * @param failures failures in a row, from 1
 * @param floor what the server asked for, in ms: raises the lower bound, beyond `max` if need be
 * @param random a number from 0 up to 1, such as `Math.random()` gives
 */
export function backoffDelay(failures: number, bounds: BackoffBounds, floor: number, random: number): number {
  // One ms at least: doubling zero would be a storm.
  const low = Math.max(bounds.min, floor, 1);
  const ceiling = Math.max(low, Math.min(bounds.max, low * 2 ** failures));
  return low + random * (ceiling - low);
}

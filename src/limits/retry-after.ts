/** Maximum spread, in seconds. Clients with longer waits have different waits anyway. */
const widestSpread = 60;

/**
 * Whole seconds for a `Retry-After` header: random between `base` and twice that (at most a minute more), so that
 * clients that were refused together do not retry together.
 *
 * @param base seconds after which there may be room; at least 1
 * @param random a number from 0 up to 1, such as from `Math.random()`
 */
export function retryAfterSeconds(base: number, random: number = Math.random()): number {
  const least = Math.max(1, Math.ceil(base));
  return least + Math.floor(random * (Math.min(least, widestSpread) + 1));
}

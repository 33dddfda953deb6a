/** Beyond this many seconds a longer wait is not spread further: those who wait for long have waits of their own. */
const widestSpread = 60;

/**
 * Whole seconds for a `Retry-After` header: at random from `base` up to the double of it (at most a minute more), so that many
 * clients that were refused together do not retry together.
 *
 * @param base seconds after which there may be room; at least 1 is taken
 * @param random a number from 0 up to 1, such as `Math.random()` gives
 */
export function retryAfterSeconds(base: number, random: number = Math.random()): number {
  const least = Math.max(1, Math.ceil(base));
  return least + Math.floor(random * (Math.min(least, widestSpread) + 1));
}

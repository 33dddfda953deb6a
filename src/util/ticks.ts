/**
 * The time in ms since the process began, without a fraction. What each subscriber keeps of it fits into its own object; a time since
 * 1970 is a number too large for that, and would be an object more to reach at each delivery.
 */
export function ticks(): number {
  return Math.trunc(performance.now());
}

/** The number behind which the last `last` events begin, or all that are held if they are fewer: known without a look at them. */
export function lastPosition({ head, earliest }: HeldNumbers, last: number): number {
  return Math.max(earliest - 1, head - Math.max(last, 0));
}

/** The numbers of the events that are held. */
interface HeldNumbers {
  readonly head: number;
  readonly earliest: number;
}

/**
 * Whole milliseconds since the process started, from a monotonic clock. V8 stores such a small integer inside the
 * object that holds it; a time since 1970 would be a separate heap object that is loaded at every delivery.
 */
export function monotonicMs(): number {
  return Math.trunc(performance.now());
}

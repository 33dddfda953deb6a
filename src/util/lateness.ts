/**
 * Interval between two measurements of the event loop, in ms; a delay may be underestimated by up to this. Measured:
 * each measurement costs an idle process up to 0.2 ms of CPU time, since it wakes the process.
 */
const interval = 100;

const listeners = new Set<(late: number) => void>();
let timer: NodeJS.Timeout | undefined;
let due = 0;

function look(): void {
  const now = performance.now();
  const late = Math.max(0, now - due);
  due = now + interval;
  for (const listener of listeners) listener(late);
}

/**
 * Reports ten times a second how late the event loop is, in ms: one timer for all listeners, which does not keep the
 * process alive. Returns the function that stops it.
 */
export function watchLateness(listener: (late: number) => void): () => void {
  listeners.add(listener);
  if (!timer) {
    timer = setInterval(look, interval).unref();
    due = performance.now() + interval;
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

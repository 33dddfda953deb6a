/**
 * Subscribers served per turn of the event loop: about half a millisecond of work. Each turn accepts one connection, so
 * long turns delay new clients. Measured: 10,000 clients connect at 4,500/s under live load, and at 3,900/s with slices
 * of 512; the cost per delivery is the same.
 */
export const sliceSize = 64;

/**
 * Calls `visit` for every item, `size` items per turn of the event loop, so that a long pass does not block accepts and
 * timers. An item may have changed by the time it is visited, which `visit` must check. `done` receives the total
 * duration of all visits, in ms.
 */
export function inSlices<T>(
  items: readonly T[],
  size: number,
  visit: (item: T) => void,
  done: (worked: number) => void,
): void {
  let next = 0;
  let worked = 0;
  const slice = (): void => {
    const startedAt = performance.now();
    const end = Math.min(next + size, items.length);
    while (next < end) visit(items[next++]!);
    worked += performance.now() - startedAt;
    if (next === items.length) done(worked);
    else setImmediate(slice);
  };
  slice();
}

/**
 * Makes a queue that calls `visit` for every item in order, `size` items per turn of the event loop, so that many items
 * that arrive at once do not block everything else.
 */
export function createSlicedQueue<T>(size: number, visit: (item: T) => void): (item: T) => void {
  const queue: T[] = [];
  const slice = (): void => {
    for (const item of queue.splice(0, size)) visit(item);
    if (queue.length > 0) setImmediate(slice);
  };
  return (item) => {
    if (queue.push(item) === 1) setImmediate(slice);
  };
}

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

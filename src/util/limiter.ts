/** Runs at most so many tasks at once; the others wait in order. */
export type Limiter = <T>(task: () => Promise<T>) => Promise<T>;

/** Makes a {@link Limiter} for `limit` concurrent tasks. */
export function createLimiter(limit: number): Limiter {
  let running = 0;
  const waiting: Array<() => void> = [];
  return async (task) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      // The place is handed over, not given back, so that nobody slips in between.
      if (next) next();
      else running--;
    }
  };
}

/**
 * Does some work for each item, at most `limit` at once, and resolves to the results in the order of the items. After a failure nothing
 * more is begun; it rejects once nothing is under way.
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const limiter = createLimiter(limit);
  const failures: unknown[] = [];
  const results: R[] = [];
  const attempt = async (item: T, index: number): Promise<void> => {
    if (failures.length > 0) return;
    try {
      results[index] = await work(item);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(items.map((item, index) => limiter(() => attempt(item, index))));
  if (failures.length > 0) throw failures[0];
  return results;
}

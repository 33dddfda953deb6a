/**
 * Settles as `work` does, but rejects with `late()` once `ms` are over, and when the signal aborts. `work` itself is not ended.
 */
export async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal, late: () => Error): Promise<T> {
  let stop: (() => void) | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    stop?.();
  }
}

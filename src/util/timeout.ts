/** The longest delay of a Node timer, in ms; a timer with a longer delay fires at once. */
export const longestTimer: number = 2 ** 31 - 1;

/** A signal that aborts after a time. */
export interface Timeout {
  readonly signal: AbortSignal;
  /** Aborts it no more. */
  clear(): void;
}

/**
 * Starts a timeout of `ms`, whose signal also aborts with `ended`. This is for an `ended` that lives long: Node 20 keeps more
 * than 1 kB of each combination by `AbortSignal.any` as long as one of its signals lives, and forgets that of
 * `AbortSignal.timeout` inside of one.
 */
export function startTimeout(ms: number, ended?: AbortSignal): Timeout {
  const controller = new AbortController();
  const clear = (): void => {
    clearTimeout(timer);
    ended?.removeEventListener("abort", abort);
  };
  const abort = (): void => {
    clear();
    controller.abort();
  };
  const timer = setTimeout(abort, ms).unref();
  if (ended?.aborted) abort();
  else ended?.addEventListener("abort", abort);
  return { signal: controller.signal, clear };
}

/** A signal that aborts after a time. */
export interface Timeout {
  readonly signal: AbortSignal;
  /** Aborts it no more. */
  clear(): void;
}

/**
 * Starts a timeout of `ms` whose signal can be combined with others. Node 20 loses that of `AbortSignal.timeout` inside of
 * `AbortSignal.any`: after a garbage collection, it never aborts.
 */
export function startTimeout(ms: number): Timeout {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms).unref();
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

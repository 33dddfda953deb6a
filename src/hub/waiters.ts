/** Those who wait for the log to grow: long polls and iterators. */
export class Waiters {
  readonly #waiting = new Set<() => void>();
  #releasing = false;

  /** Resolves at the next {@link release}, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const settle = (): void => {
        this.#waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener("abort", settle);
    });
  }

  /** Lets everyone go on, at the end of this turn: what comes together wakes them once. */
  release(): void {
    if (this.#waiting.size === 0 || this.#releasing) return;
    this.#releasing = true;
    setImmediate(() => this.#releaseNow());
  }

  #releaseNow(): void {
    this.#releasing = false;
    for (const settle of this.#waiting) settle();
  }
}

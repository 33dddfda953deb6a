/** Who asks to be let in. */
export interface Caller {
  /** As an identity has it; `anonymous` counts by address alone. */
  readonly subject: string;
  /** Absent where it is not known: then nothing counts by address. */
  readonly address: string | undefined;
}

/** Counts who is there, and lets in who still fits. */
export interface Admission {
  /**
   * One more subscription or held long poll; returns the way to let it go, which does nothing a second time.
   * @throws {SpillwayError} `at-capacity`, `overloaded`, `too-many-connections`, `rate-limited`, with `retryAfter`.
   */
  connect(caller: Caller): (() => void) | Promise<() => void>;
  /**
   * One more publish request.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`.
   */
  publish(caller: Caller): void | Promise<void>;
}

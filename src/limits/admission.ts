/** Who asks to be let in. */
export interface Caller {
  /** As an identity has it; `anonymous` counts by address alone. */
  readonly subject: string;
  /** Absent where it is not known: then nothing counts by address. */
  readonly address: string | undefined;
}

/** A request of which only the sender's address is known. */
export interface Arrival {
  /** Absent where it is not known: then nothing counts. */
  readonly address: string | undefined;
  /** Whether it asks for a subscription or a long poll. */
  readonly subscribes: boolean;
}

/** Counts who is there, and lets in who still fits. */
export interface Admission {
  /**
   * One more request, before it is known who sends it: those that are refused later count as well.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`.
   */
  arrive(arrival: Arrival): void | Promise<void>;
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

/** Limits as returned by the config resolver. Times in ms, sizes in bytes; `undefined` for no limit. */

/** A number of calls per window (ms). */
export interface Rate {
  readonly count: number;
  readonly window: number;
}

export interface Limits {
  /** Subscriptions and held long polls over all workers; beyond it 503. */
  readonly connections: number;
  /** Subscriptions and held long polls of one subject that is not anonymous, and of one address; beyond it 429. */
  readonly perSubject: number | undefined;
  readonly perAddress: number | undefined;
  /** New subscriptions and long polls of one subject, and attempts of one address; beyond it 429. */
  readonly connectRate: Rate | undefined;
  /** Requests of one address, of any kind; beyond it 429. */
  readonly requestRate: Rate | undefined;
  /** Different unknown credentials from one address; beyond it 429, for a time that doubles. */
  readonly failedCredentials: Rate | undefined;
  /** Publish requests of one subject, or of one address if anonymous; beyond it 429. */
  readonly publishRate: Rate | undefined;
  /** Names in the filter of one subscription; beyond it 400. */
  readonly channels: number;
  /**
   * Different filter expressions that the clients of a stream request, and as many that grants enforce, in one process;
   * beyond it 503.
   */
  readonly filters: number;
  /** Bytes of a request's target; beyond it 414. */
  readonly url: number;
  /** Bytes of a request's headers; beyond it 431. */
  readonly headers: number;
  /** Concurrent replays; other subscriptions wait for up to `replayWait`, then 503. */
  readonly replays: number;
  readonly replayWait: number;
  /**
   * Concurrent searches of a log: `last` with a filter, and long polls that find nothing. Others wait as for a replay.
   */
  readonly searches: number;
  /** Unsent bytes of one subscriber; beyond it the subscriber is served from the log at its own pace. */
  readonly outbox: number;
  /** A subscriber whose socket accepts nothing for this long is disconnected. */
  readonly stall: number;
  /** How long a subscription or a long poll lasts at most; then the client reconnects. */
  readonly maxDuration: number | undefined;
  /** Size of the body of a publish request; beyond it 413. */
  readonly body: number;
  /** Total size of the bodies of all publish requests of a process; beyond it 503. */
  readonly bodies: number;
  /** Events of one publish request; beyond it 413. */
  readonly events: number;
  /** Total size of all stored runs; beyond it the oldest are removed. */
  readonly runs: number;
  readonly timeouts: {
    /**
     * From the opening of a connection, or the first byte of a request, to the end of its headers; then it is closed.
     */
    readonly headers: number;
    /** To the end of a request's body; then 408. */
    readonly body: number;
  };
  /** Resident memory of the process above which new subscriptions are refused (503). */
  readonly memory: number | undefined;
  /** Delay of the event loop above which new subscriptions are refused (503). */
  readonly lag: number | undefined;
}

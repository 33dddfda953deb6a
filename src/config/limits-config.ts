/** The `limits` section as its author writes it. */
import type { Count, Duration, Size } from "./config.ts";

/** Bounds on what clients may use up. Where nothing else is said, `none` lifts a bound. */
export interface LimitsConfig {
  /** Subscriptions and held long polls, over all workers; beyond it the answer is 503. Not to be lifted. Default: `50_000`. */
  readonly connections?: Count | undefined;
  /** Those of one subject (key, user) that is not anonymous; beyond it 429. Default: `none`. */
  readonly perSubject?: Count | undefined;
  /** Those of one address; beyond it 429. Default: `none`. */
  readonly perAddress?: Count | undefined;
  /** New ones of one subject, and attempts of one address, in a time, as `100/15m`; beyond it 429. Default: `none`. */
  readonly connectRate?: string | undefined;
  /** Requests of one address in a time, as `1000/1m`, counted before anything is known of them; beyond it 429. Default: `none`. */
  readonly requestRate?: string | undefined;
  /**
   * Different credentials that are not known, shown by one address in a time; beyond it 429 for a time that doubles, from 1 s to 5 min.
   * Credentials that were good at the address before still count. Default: `20/1m`.
   */
  readonly failedCredentials?: string | undefined;
  /** Publish requests of one subject, or of one address if anonymous, in a time, as `100/1s`; beyond it 429. Default: `none`. */
  readonly publishRate?: string | undefined;
  /** Names in the filter of one subscription, at most 1000; beyond it 400. Default: 100. */
  readonly channels?: Count | undefined;
  /** Length of a request's path and query; beyond it 414. Not to be lifted. Default: `8KiB`. */
  readonly url?: Size | undefined;
  /** All headers of a request; beyond it 431. Not to be lifted. Default: `16KiB`. */
  readonly headers?: Size | undefined;
  /** Subscriptions that are replayed to at the same time; those beyond wait. Not to be lifted. Default: `5_000`. */
  readonly replays?: Count | undefined;
  /** How long they wait, before the answer is 503. Default: `10s`. */
  readonly replayWait?: Duration | undefined;
  /**
   * Searches through a log at the same time in one process: `last` with a filter, long polls whose filter lets little pass. Those beyond
   * wait for up to `replayWait`; one address has at most half of them. Not to be lifted. Default: `8`.
   */
  readonly searches?: Count | undefined;
  /** Unsent bytes held for one subscriber; beyond it the log is read at its pace. Default: `256KiB`. */
  readonly outbox?: Size | undefined;
  /** A subscriber whose socket takes nothing for this long is cut; at least `10ms`. Default: `60s`. */
  readonly stall?: Duration | undefined;
  /** Largest body of a publish request; beyond it the answer is 413. Default: `1MiB`. */
  readonly body?: Size | undefined;
  /**
   * Bodies of all publish requests that one process reads or stores at the same time; one address has at most half of it. Beyond it the
   * answer is 503. Not to be lifted. Default: `64MiB`.
   */
  readonly bodies?: Size | undefined;
  /** Events of one publish request; beyond it the answer is 413. Not to be lifted. Default: `10_000`. */
  readonly events?: Count | undefined;
  /** How long a request may take to arrive. */
  readonly timeouts?: RequestTimeoutsConfig | undefined;
  /** Resident memory of a process beyond which it lets no new subscription in (503). Default: `none`. */
  readonly memory?: Size | undefined;
  /** Delay of a process's event loop beyond which it lets no new subscription in (503). Default: `2s`. */
  readonly lag?: Duration | undefined;
}

/** How long a request may take to arrive. */
export interface RequestTimeoutsConfig {
  /** Until its headers are there; then the connection is closed. Default: `10s`. */
  readonly headers?: Duration | undefined;
  /** Until its body is there; then the answer is 408. Default: `30s`. */
  readonly body?: Duration | undefined;
}

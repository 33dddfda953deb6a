import type { Check } from "../doctor/check.ts";
import type { UpstreamAttempt } from "../upstream/upstream.ts";

/** What only the process that ingests knows. Results are plain JSON: workers ask their primary. */
export interface Diagnostics {
  /** The last attempts of the upstreams, by the name of the stream, the newest first. */
  attempts(): Promise<Readonly<Record<string, readonly UpstreamAttempt[]>>>;
  /** The samples after a time, in ms since 1970. Sampling begins with the first call. */
  history(after: number): Promise<History>;
  /** The configuration in use as YAML, with secrets masked. */
  config(): Promise<string>;
  /** The results of the checks of this machine. */
  checks(): Promise<readonly Check[]>;
}

/** Samples of the last ten minutes. */
export interface History {
  /** The time between two samples, in ms. */
  readonly interval: number;
  /** When the samples were taken, in ms since 1970. */
  readonly times: readonly number[];
  /** A list for each number, with an entry for each of `times`; `null` where the stream did not exist. */
  readonly streams: Readonly<Record<string, StreamHistory>>;
}

export type StreamHistory = Readonly<Record<HistoryNumber, readonly (number | null)[]>>;

/** Events that were stored and delivered since the start, and the subscribers and the slowest one's lag at the time. */
export type HistoryNumber = "stored" | "delivered" | "subscribers" | "lag";

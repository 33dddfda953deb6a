/** What the HTTP layer needs to know of the gateway behind it. */
import type { IdMode } from "../hub/format.ts";
import type { Hub } from "../hub/hub.ts";
import type { Log } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** What a caller may be allowed to do. `admin` covers status and metrics. */
export type Right = "subscribe" | "publish" | "admin";

/** One stream as it is served. */
export interface ServedStream {
  readonly name: string;
  readonly ids: IdMode;
  readonly log: Log;
  readonly hub: Hub;
  /** The log's `append`, seen by `paused`. */
  readonly append: Log["append"];
  /** What is known of its upstream; `undefined` for a stream that is only published to. */
  upstream(): ServedUpstream | undefined;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Counts someone who waits for events without being a subscriber of the hub; returns the way to stop counting. */
  hold(): () => void;
}

/** The upstream's state as status endpoints show it. */
export interface ServedUpstream {
  readonly state: string;
  readonly target: string | undefined;
  readonly reconnects: number;
  readonly received: number;
  readonly repeated: number;
  readonly errors: number;
  readonly lastError: string | undefined;
  readonly retryAt: number | undefined;
  readonly openedAt: number | undefined;
}

export interface Served {
  readonly version: string;
  /** When the gateway was started, ms since 1970. */
  readonly startedAt: number;
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** The stream behind `/api/sse`. */
  readonly default: ServedStream | undefined;
  /** The rights of a caller who shows no credential. */
  readonly anonymous: readonly Right[];
  /** Largest body of a publish request, in bytes. */
  readonly bodyLimit: number;
  /** True once the gateway is being closed. */
  readonly closing: boolean;
  readonly logger: Logger;
}

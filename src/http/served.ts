/** What the HTTP layer needs to know of the gateway behind it. */
import type { IdMode } from "../hub/format.ts";
import type { Hub } from "../hub/hub.ts";
import type { CloseReason } from "../hub/subscriber.ts";
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
  /** Who listens to it: all that is known here of all processes. */
  audience(): Audience;
  /** The log's `append`, seen by `paused`. */
  readonly append: Log["append"];
  /** What is known of its upstream; `undefined` for a stream that is only published to. */
  upstream(): ServedUpstream | undefined;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Counts someone who waits for events without being a subscriber of the hub; returns the way to stop counting. */
  hold(): () => void;
}

/** The subscribers of a stream, and what was brought to them. */
export interface Audience {
  readonly subscribers: number;
  /** How many events the slowest is behind. */
  readonly lag: number;
  /** Accepted bytes that have not left yet, of all. */
  readonly unsent: number;
  /** Events written to subscribers, ever. */
  readonly delivered: number;
  /** Subscriptions ended, ever, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>;
}

/** A process that serves clients beside others. */
export interface ServedWorker {
  readonly pid: number;
  /** Of all streams. */
  readonly subscribers: number;
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
  /** The processes that serve clients; absent where there is but this one. */
  readonly workers?: (() => readonly ServedWorker[]) | undefined;
  /** Brings up to date what is known of other processes; resolves in a bounded time, whatever they do. Absent without any. */
  readonly refresh?: (() => Promise<void>) | undefined;
  readonly logger: Logger;
}

/** What the HTTP layer needs to know of the gateway behind it. */
import type { Access } from "../access/access.ts";
import type { AuthorizeRequest } from "../access/authorize.ts";
import type { HostCheck } from "../access/origin.ts";
import type { Identity } from "../access/identity.ts";
import type { Tickets } from "../access/tickets.ts";
import type { EndReason } from "../hub/control.ts";
import type { IdMode } from "../hub/format.ts";
import type { Hub } from "../hub/hub.ts";
import type { Log } from "../log/log.ts";
import type { Admission } from "../limits/admission.ts";
import type { BodyBudget } from "../limits/body-budget.ts";
import type { Limits } from "../limits/options.ts";
import type { ReplayGate } from "../limits/replay-gate.ts";
import type { UpstreamStatus } from "../upstream/upstream.ts";
import type { Durations } from "../util/durations.ts";
import type { Logger } from "../util/logger.ts";
import type { Cors } from "./cors.ts";
import type { SubscriberStats, WorkerStatus } from "./gateway-status.ts";
import type { StaticFiles } from "./static-files.ts";
import type { SessionMatch, Sessions } from "./sessions.ts";

/** One stream as it is served. */
export interface ServedStream {
  readonly name: string;
  readonly ids: IdMode;
  /** The reconnect delay that clients are given, in ms; absent to leave it to them. */
  readonly retry: number | undefined;
  readonly log: Log;
  readonly hub: Hub;
  /** Who listens to it: all that is known here of all processes. */
  subscriberStats(): SubscriberStats;
  /** The log's `append`, seen by `paused`. */
  readonly append: Log["append"];
  /** What is known of its upstream; `undefined` for a stream that is only published to. */
  upstream(): UpstreamStatus | undefined;
  /** Who ingests it; absent or `undefined` where only one process can. */
  lease?: (() => LeaseStatus | undefined) | undefined;
  /** How far this node is behind the others; absent where only one process can append. */
  replication?: (() => ReplicationStatus) | undefined;
  /** How long another process may know of events that are not known here, in ms. */
  readonly behind: number;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Counts a client that waits for events without being a subscriber of the hub; returns the function that stops counting it. */
  hold(): () => void;
}

/** The right to ingest a stream, where nodes share the store. */
export interface LeaseStatus {
  /** Whether this node has it. */
  readonly leader: boolean;
  /** Who had it when it was looked up last. */
  readonly holder: string | undefined;
  readonly fence: number | undefined;
  /** How often this node has taken it, lost it and given it back. */
  readonly changes: Readonly<Record<LeaseChange, number>>;
}

export type LeaseChange = "taken" | "lost" | "released";

/** How well this node follows a log that others append to. */
export interface ReplicationStatus {
  /** Whether the engine that has the log can be reached. */
  readonly connected: boolean;
  /**
   * How late the last event arrived, in seconds; while nothing is heard of the engine, for how long already, if that is longer.
   * `undefined` before the first event.
   */
  readonly lag: number | undefined;
  /** How often the engine was reached again after an outage. */
  readonly reconnects: number;
  /** How late the first event of each batch arrived. */
  readonly latency: Durations;
}

/** Who may do what, and how much of it. */
export interface Policy {
  readonly access: Access;
  readonly cors: Cors;
  readonly limits: Limits;
  /** Files at the root; absent where none are served. */
  readonly files: StaticFiles | undefined;
  /** The client's address, and the origin by which it knows the gateway: those behind a proxy that is trusted. */
  readonly addressOf: (request: AuthorizeRequest) => string | undefined;
  readonly originOf: (request: AuthorizeRequest) => string | undefined;
  /** Refuses what names another host; for the gateway's own server. */
  readonly checkHost: HostCheck;
}

/** Who sent a request. */
export interface Caller {
  readonly identity: Identity;
  readonly address: string | undefined;
}

export interface GatewayContext {
  readonly version: string;
  /** When the gateway was started, ms since 1970. */
  readonly startedAt: number;
  /** What serves subscriptions over HTTP/1.1 at the gateway's own address: the raw listener, or Node's HTTP. */
  readonly listener: "raw" | "node";
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** The stream behind `/api/sse`. */
  readonly default: ServedStream | undefined;
  /** What may change while the gateway runs. */
  readonly policy: Policy;
  readonly tickets: Tickets;
  readonly admission: Admission;
  readonly replays: ReplayGate;
  /** For walks through a log that may find nothing. */
  readonly searches: ReplayGate;
  readonly bodies: BodyBudget;
  readonly sessions: Sessions;
  /** Requests refused since the start, by the code of the error. */
  readonly refused: Record<string, number>;
  /** Ends sessions, of all processes; resolves to how many. */
  end(match: SessionMatch, reason: EndReason): Promise<number>;
  /**
   * Applies the configuration as it is now; absent where it cannot be read again.
   * @throws {SpillwayError} `config-invalid`, `restart-required`: nothing has changed.
   */
  readonly reload?: (() => Promise<void>) | undefined;
  /** What a monitoring system reads. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** True once the gateway is being closed. */
  readonly closing: boolean;
  /** The processes that serve clients; absent where there is but this one. */
  readonly workers?: (() => readonly WorkerStatus[]) | undefined;
  /** Brings up to date what is known of other processes; resolves in a bounded time, whatever they do. Absent without any. */
  readonly refresh?: (() => Promise<void>) | undefined;
  readonly logger: Logger;
}

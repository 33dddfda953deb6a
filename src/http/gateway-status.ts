/** The response of `GET /status`; documented in PROTOCOL.md, "Lists, status, health". */
import type { ErrorCode } from "../errors.ts";
import type { CloseReason } from "../hub/subscriber.ts";
import type { UpstreamState } from "../upstream/upstream.ts";

/**
 * The state of a gateway: what `gateway.status()` returns and `GET /status` serves as JSON. Times are in ISO 8601, UTC.
 */
export interface GatewayStatus {
  readonly version: string;
  /** The name of this node, from `cluster.node`. */
  readonly node: string;
  /** The time since the start, in whole seconds. */
  readonly uptime: number;
  /** Whether the gateway can accept traffic, as in `GET /readyz`. */
  readonly ready: boolean;
  /** What serves HTTP/1.1 at the gateway's own address: its raw listener, or Node's HTTP server. */
  readonly listener: "raw" | "node";
  /** The processes that serve clients; absent if there is only one. */
  readonly workers?: readonly WorkerStatus[];
  /** The streams by name. `GET /status` shows only those that the caller is granted, `gateway.status()` all of them. */
  readonly streams: Readonly<Record<string, StreamStatus>>;
  /** The streams that are made on demand, by their patterns. The open ones are in `streams` as well. */
  readonly onDemand: Readonly<Record<string, OnDemandStatus>>;
  readonly routes: RoutesStatus;
  readonly deliveries: DeliveriesStatus;
}

/** The deliveries by name. `GET /status` shows only those of streams that the caller is granted. */
export type DeliveriesStatus = Readonly<Record<string, DeliveryStatus>>;

/** A delivery. If nodes share the store, its position and counts are those that the running node has stored last. */
export interface DeliveryStatus {
  readonly stream: string;
  /**
   * `active`: it sends. `failing`: the last attempts have all failed. `paused`: a command has stopped it. `gone`: the
   * endpoint has answered 410. `standby`: it runs on another node, or not yet.
   */
  readonly state: "active" | "failing" | "paused" | "gone" | "standby";
  /** All events up to this one are delivered, being sent, or wait; `null` if it has never run. */
  readonly cursor: string | null;
  /** How many events of the stream are behind the cursor; `null` if unknown. */
  readonly lag: number | null;
  /** Channels, or events without an order, whose next event waits for a retry. */
  readonly waiting: number;
  /** Events that the endpoint has accepted, since the delivery was created; so are the other counts. */
  readonly delivered: number;
  /** Failed attempts. */
  readonly failed: number;
  /** Failed attempts by error code. */
  readonly failures: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Events that were given up: dead letters, or dropped. */
  readonly dead: number;
  /** Dead letters that were sent again, and accepted. */
  readonly resent: number;
  /** Gaps: events were removed before they were delivered. */
  readonly gaps: number;
  /** Why the last attempt failed; `null` if it did not. */
  readonly lastError: ErrorCode | null;
  /** When the endpoint last accepted an event; `null` if it never has. */
  readonly lastDelivered: string | null;
  /** When the next retry is due; `null` if none is. */
  readonly retryAt: string | null;
  /** Whether this node runs the delivery; absent unless nodes share the store. */
  readonly leader?: boolean;
}

/** The routes by their patterns. */
export type RoutesStatus = Readonly<Record<string, RouteStatus>>;

/** A route in all processes of this node. Counts are since the start. */
export interface RouteStatus {
  readonly requests: number;
  /** Requests that have not ended, including those that wait for a target. */
  readonly active: number;
  /** The sum of {@link RouteStatus.failures}. */
  readonly failed: number;
  /** Requests by the class of the response's status; `none` for clients that left before there was one. */
  readonly responses: Readonly<Record<StatusClass, number>>;
  /** Requests that no target answered, and responses that were cut, by error code. */
  readonly failures: Readonly<Record<TargetErrorCode, number>>;
  /** What its clients share; absent without `share`. Their requests are not in the other counts. */
  readonly shared?: SharedStatus;
  /** The runs that its requests have started; absent for a route without runs. */
  readonly runs?: RunsStatus;
  /** The targets by name. */
  readonly targets: Readonly<Record<string, TargetStatus>>;
}

/** The responses of a route that clients share. */
export interface SharedStatus {
  /** Distinct requests, including those that have no client at the moment. */
  readonly streams: number;
  /** How many of {@link SharedStatus.streams} are connected to a target. */
  readonly connected: number;
  /** The clients of all streams. */
  readonly subscribers: number;
}

/** The runs of a route. */
export interface RunsStatus {
  /** Runs that have not ended. */
  readonly running: number;
  readonly started: number;
  /** Requests that got the response of a run that another one had started, by their key. */
  readonly joined: number;
  /** How runs ended: `truncated` ones have an incomplete response. */
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly truncated: number;
}

export type StatusClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "none";

/** The codes of errors that clients get when no target answers. */
export type TargetErrorCode = "target-failed" | "target-timeout" | "target-unavailable";

/** What was sent to a target since the start. */
export interface TargetCounts {
  /** Requests that were sent to it, including retries. */
  readonly requests: number;
  /** How many of {@link TargetCounts.requests} failed: no answer, a cut response, or a 502, 503 or 504. */
  readonly failures: number;
  /** How many of {@link TargetCounts.requests} were retries. */
  readonly retries: number;
  /** How often it was ejected. */
  readonly ejections: number;
}

/** A server behind a route. */
export interface TargetStatus extends TargetCounts {
  /** `down`: its health checks fail. `ejected`: its requests have failed. Of several processes, the worst state. */
  readonly state: "up" | "down" | "ejected";
  /** Requests that it has now. */
  readonly active: number;
  /** Requests that wait because it has as many as it may have. */
  readonly waiting: number;
}

/** One of several processes that serve clients. */
export interface WorkerStatus {
  readonly pid: number;
  /** The number of subscribers to all streams. */
  readonly subscribers: number;
}

/** The name of a stream, and the range of events that its log holds. */
export interface StreamRange {
  readonly name: string;
  /** The cursor of the last event. */
  readonly head: string;
  /** The cursor of the first event still held. */
  readonly earliest: string;
}

/** A stream that was made on demand. Its range is `null` if this process has not opened it yet. */
export interface OnDemandStream {
  readonly name: string;
  /** The cursor of the last event, when this process last had the stream open. */
  readonly head: string | null;
  /** The cursor of the first event still held, like `head`. */
  readonly earliest: string | null;
}

/** The streams of a pattern, on this node. */
export interface OnDemandStatus {
  /** The streams that are in the store, as far as it is known here. */
  readonly streams: number;
  /** How many of them are open, because they are used or were just used. */
  readonly open: number;
  /** How many there may be. */
  readonly limit: number;
}

/** The subscribers of a stream, in all processes of this node, and what was delivered to them since the start. */
export interface SubscriberStats {
  /** Open streaming responses. */
  readonly subscribers: number;
  /** Different filter expressions of subscribers and long polls. Several processes count an equal one several times. */
  readonly filters: number;
  /** How many events the slowest subscriber is behind. */
  readonly lag: number;
  /** Accepted bytes that have not been sent yet, of all subscribers. */
  readonly unsent: number;
  /** Events written to subscribers. */
  readonly delivered: number;
  /** The bytes of {@link SubscriberStats.delivered}. */
  readonly sentBytes: number;
  /** How many of {@link SubscriberStats.delivered} were written to subscribers that were behind. */
  readonly replayed: number;
  /** Gaps announced to subscribers. */
  readonly gaps: number;
  /** How often a filter expression had no result for an event, which then does not match. */
  readonly filterErrors: number;
  /** Ended subscriptions, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>;
}

/** The state of a stream. */
export interface StreamStatus extends StreamRange, SubscriberStats {
  /** Whose ids clients see: cursors of the gateway, or the ids of the upstream. */
  readonly ids: "gateway" | "upstream";
  /** The number of events in the log. */
  readonly events: number;
  /** The size of the log in bytes, as retention counts it. */
  readonly bytes: number;
  /** The limits of the log: events in ms of age, in number, and in bytes; `null` for a limit that is not set. */
  readonly retention: { readonly age: number | null; readonly events: number | null; readonly bytes: number | null };
  /** When the last event was appended; `null` before the first. */
  readonly lastEvent: string | null;
  /** Why the log cannot store events, as an error code; `null` if it can. */
  readonly paused: string | null;
  /** Whether this node ingests the stream; absent unless nodes share the store and the stream has an upstream. */
  readonly leader?: boolean;
  /** The lease under which a node ingests the stream; absent if `leader` is absent. */
  readonly lease?: {
    /** The name of the node that held it at the last check; `null` if no node did. */
    readonly holder: string | null;
    /** Greater with each new holder; `null` without one. */
    readonly fence: number | null;
  };
  /** How this node follows the log; absent unless nodes share the store. */
  readonly replication?: {
    /** Whether the engine of the store can be reached. */
    readonly connected: boolean;
    /**
     * How late the last event arrived here, in seconds, or for how long nothing has been heard of the engine if that is
     * longer; `null` before the first event.
     */
    readonly lag: number | null;
    /** How often the engine was reached again after an outage. */
    readonly reconnects: number;
  };
  /** What the transform has done; absent for a stream without one. */
  readonly transform?: StreamTransformStatus;
  /** What does not match the definition; absent for a stream without one. */
  readonly definition?: StreamDefinitionStatus;
  /** `null` for a stream without an upstream. */
  readonly upstream: StreamUpstreamStatus | null;
}

/** Stored events that do not match the stream's definition, on this node, since the start. */
export interface StreamDefinitionStatus {
  readonly invalid: number;
  /** The last one: its type, and the first thing that is wrong with it. `null` if there was none. */
  readonly lastInvalid: { readonly event: string; readonly field: string; readonly message: string } | null;
}

/** The transform of a stream, on this node. Counts are since the start. */
export interface StreamTransformStatus {
  /** Events that it got, without those for which an error stopped it. */
  readonly transformed: number;
  /** How many of {@link StreamTransformStatus.transformed} were not stored. */
  readonly dropped: number;
  /** Errors by code. */
  readonly errors: Readonly<Record<TransformErrorCode, number>>;
  /** The code of the last error; `null` if there was none. */
  readonly lastError: TransformErrorCode | null;
}

/** The codes of the errors of a transform. */
export type TransformErrorCode = Extract<ErrorCode, `transform-${string}`>;

/** The connection of a stream to its upstream. Counts are since the start. */
export interface StreamUpstreamStatus {
  readonly state: UpstreamState;
  /** Name of the target in use or tried last; never its URL. `null` before the first attempt. */
  readonly target: string | null;
  /** The id at which ingest resumes; `null` if there is none. */
  readonly lastEventId: string | null;
  /** Attempts that followed a break. */
  readonly reconnects: number;
  /** Events received, including those in `repeated`. */
  readonly received: number;
  /** Events dropped because they were already in the log. */
  readonly repeated: number;
  /** Events dropped because their type is reserved for Spillway. */
  readonly refused: number;
  /** Failed attempts and broken streams. */
  readonly errors: number;
  /** Why the last attempt or connection ended; `null` if none has. */
  readonly lastError: ErrorCode | null;
  /** When the connection was opened; `null` if it is not open. */
  readonly openSince: string | null;
  /** When the next attempt is due; `null` if none is. */
  readonly retryAt: string | null;
}

/** The gateway as seen by the HTTP layer. */
import type { Access } from "../access/access.ts";
import type { AuthorizeRequest } from "../access/authorize.ts";
import type { HostCheck } from "../access/origin.ts";
import type { Identity, Right, SubscriberRight } from "../access/identity.ts";
import type { Tickets } from "../access/tickets.ts";
import type { IdMode } from "../hub/format.ts";
import type { StreamFilters } from "../filter/stream-filters.ts";
import type { Hub } from "../hub/hub.ts";
import type { Appended, AppendOptions, Log, NewEvent, Retention } from "../log/log.ts";
import type { Admission, Caller as Client } from "../limits/admission.ts";
import type { BodyBudget } from "../limits/body-budget.ts";
import type { Limits } from "../limits/options.ts";
import type { ReplayGate } from "../limits/replay-gate.ts";
import type { UpstreamStatus } from "../upstream/upstream.ts";
import type { Durations } from "../util/durations.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import type { Logger } from "../util/logger.ts";
import type { Clients, PeerCalls } from "./clients.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { HttpBody, HttpHeaders, HttpRequest, HttpResponse } from "./message.ts";
import type {
  DeliveriesStatus,
  OnDemandStatus,
  RoutesStatus,
  StreamDefinitionStatus,
  OnDemandStream,
  StreamTransformStatus,
  SubscriberStats,
  WorkerStatus,
} from "./gateway-status.ts";
import type { StaticFiles } from "./static-files.ts";
import type { Sessions } from "./sessions.ts";

/**
 * Appends published events.
 * @throws {SpillwayError} as {@link Log.append} does; `event-invalid`, a `transform-…` code, `overloaded`: nothing was
 * appended.
 */
export type Publish = (events: readonly NewEvent[], options?: StoreOptions) => Promise<Published>;

/** How published events are appended. */
export interface StoreOptions extends AppendOptions {
  /** Whether events that do not match the stream's definition are refused. Default: they are only reported. */
  readonly strict?: boolean | undefined;
}

/** Which events were appended. */
export interface Published extends Appended {
  /** The own ids of the appended events, if a transform has changed the events. */
  readonly upstreamIds?: readonly (string | undefined)[];
}

/** One stream as it is served. */
export interface ServedStream {
  readonly name: string;
  /** The pattern by which it was made on demand; absent for a configured stream. It is closed while nobody holds it. */
  readonly pattern?: string | undefined;
  readonly right: SubscriberRight;
  readonly ids: IdMode;
  /** The reconnect delay that clients are given, in ms; absent to use the client's own. */
  readonly retry: number | undefined;
  /** The longest silence of a connection, in ms. */
  readonly heartbeat: number;
  readonly log: Log;
  readonly hub: Hub;
  /** The filter expressions in use. */
  readonly filters: StreamFilters;
  /** The statistics of the stream's subscribers in all processes, as far as they are known here. */
  subscriberStats(): SubscriberStats;
  /** Appends published events, as the stream's transform changes them. Failures of the store set `paused`. */
  readonly append: Publish;
  /** What the transform has done; `undefined` for a stream without one. */
  transform(): StreamTransformStatus | undefined;
  /** What does not match the definition; `undefined` for a stream without one. */
  definition(): StreamDefinitionStatus | undefined;
  /**
   * Checks an event that is not stored. Returns a promise if the definition is in another process, or a schema is asynchronous.
   * @throws {SpillwayError} `event-invalid` if it does not match the stream's definition
   */
  assertValid(event: NewEvent): Promise<void> | void;
  /** The last known state of the upstream; `undefined` for a stream without one. */
  upstream(): UpstreamStatus | undefined;
  /** The lease to ingest the stream; absent or `undefined` if only one process can ingest. */
  lease?: (() => LeaseStatus | undefined) | undefined;
  /** How far this node is behind the others; absent if only one process can append. */
  replication?: (() => ReplicationStatus) | undefined;
  /** How long an event of another node may take to arrive here, in ms. 0 if no other node appends. */
  readonly behind: number;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /**
   * Counts a client that waits for events without being a subscriber of the hub; returns the function that stops
   * counting it.
   */
  hold(): () => void;
}

/** The streams that are made at their first use. */
export interface OnDemandStreams {
  /** Whether a name belongs to a pattern, so that its stream is made when it is used. */
  matches(name: string): boolean;
  /**
   * The stream of a name, which is made and opened if necessary. It is closed when nobody uses it: hold it until it is used.
   * `undefined` if no pattern matches the name.
   * @param client who asks for it; absent for the program itself, which no rate limits
   * @throws {SpillwayError} `too-many-streams`, `rate-limited`, `shutting-down`; a `store-…` code.
   */
  obtain(name: string, client?: Client): ServedStream | Promise<ServedStream> | undefined;
  /** The streams that are open in this process. */
  open(): ServedStream[];
  /** All of them, as far as they are known here. */
  list(): readonly OnDemandStream[] | Promise<readonly OnDemandStream[]>;
  /** By their patterns. */
  status(): Readonly<Record<string, OnDemandStatus>>;
  /** Of these streams, those that are in use here. The others stay closed for a moment. */
  used(names: readonly string[]): readonly string[];
}

/** The lease to ingest a stream, if nodes share the store. */
export interface LeaseStatus {
  /** Whether this node holds the lease. */
  readonly leader: boolean;
  /** The holder at the last check. */
  readonly holder: string | undefined;
  readonly fence: number | undefined;
  /** How often this node has acquired, lost and released the lease. */
  readonly changes: Readonly<Record<LeaseChange, number>>;
}

export type LeaseChange = "taken" | "lost" | "released";

/** How far this node is behind a log to which other nodes append. */
export interface ReplicationStatus {
  /** Whether the store's engine can be reached. */
  readonly connected: boolean;
  /**
   * How late the last event arrived, in seconds. If nothing has been heard from the engine for longer than that, the
   * length of this silence. `undefined` before the first event.
   */
  readonly lag: number | undefined;
  /** How often the engine was reached again after an outage. */
  readonly reconnects: number;
  /** How late the first event of each batch arrived. */
  readonly latency: Durations;
}

/** Cross-origin access for pages of other origins (WHATWG Fetch §3.3). */
export interface Cors {
  /** Whether any origin is allowed. */
  readonly isConfigured: boolean;
  /**
   * The headers that allow a page of this origin to read a response; no such headers for an origin that is not allowed.
   */
  headers(origin: string | undefined): HttpHeaders;
  /** The response to OPTIONS, for preflight requests and for others, without {@link headers}. */
  preflight(origin: string | undefined, allow: string): HttpBody;
}

/** Access rules and limits. */
export interface Policy {
  readonly access: Access;
  readonly cors: Cors;
  readonly limits: Limits;
  /** The webhooks that streams accept, by the name of the stream. */
  readonly webhooks: ReadonlyMap<string, Webhook>;
  /** The files served at the root; absent if none are served. */
  readonly files: StaticFiles | undefined;
  /** The client's address, and the origin under which it reaches the gateway. Both respect trusted proxies. */
  readonly addressOf: (request: AuthorizeRequest) => string | undefined;
  readonly originOf: (request: AuthorizeRequest) => string | undefined;
  /** The name of the cookie that may hold a token; `undefined` if none is read. */
  readonly cookie: string | undefined;
  /** Whether the connection comes from a trusted proxy. */
  readonly isTrusted: (request: AuthorizeRequest) => boolean;
  /** Refuses requests for an unknown host name; used by the gateway's own server. */
  readonly checkHost: HostCheck;
  /** The dashboard; `undefined` if there is none. With `isDefault`, only the gateway's own server has it. */
  readonly dashboard: { readonly write: boolean; readonly isDefault: boolean } | undefined;
}

/** Who sent a request. */
export interface Caller {
  readonly identity: Identity;
  readonly address: string | undefined;
}

/** How requests for a path are answered, and the right that they need. */
export interface Route {
  /** `any`: the target decides. */
  readonly methods: readonly string[] | "any";
  /** The right a caller needs; absent for public routes. */
  readonly right?: Right;
  /** Another right that is sufficient too. */
  readonly otherRight?: Right;
  /** The stream that the right is needed for; absent if the right on any stream is sufficient. */
  readonly stream?: string | undefined;
  /** The configured route that forwards the requests, by the name that grants use; absent for the gateway's own paths. */
  readonly forwards?: string;
  /** Whether the response of a public route depends on the caller. */
  readonly identifies?: boolean;
  /** Whether the response is a subscription. */
  readonly subscribes?: boolean;
  handle(request: HttpRequest, caller: Caller, gateway: GatewayContext): HttpResponse | Promise<HttpResponse>;
}

/**
 * What an operator can do with a delivery. `pause`: send nothing. `resume`: send again, also after a 410, and retry at
 * once what waits. `retry`: send the dead letters again.
 */
export type DeliveryCommand = "pause" | "resume" | "retry";

/** The deliveries of the gateway. */
export interface DeliveriesControl {
  status(): DeliveriesStatus;
  /**
   * Resolves when the command was carried out, or will be for certain.
   * @throws {SpillwayError} `delivery-unknown`; a `store-…` code.
   */
  command(delivery: string, command: DeliveryCommand): Promise<void>;
}

export interface GatewayContext {
  readonly version: string;
  /** The name of this node. */
  readonly node: string;
  /** When the gateway was started, in ms since 1970. */
  readonly startedAt: number;
  /** What serves subscriptions over HTTP/1.1 at the gateway's own address: the raw listener, or Node's HTTP. */
  readonly listener: "raw" | "node";
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** The limits of a stream's log; `undefined` if its configuration was removed. */
  retention(stream: ServedStream): Retention | undefined;
  /** The streams that are made at their first use, in addition to `streams`. */
  readonly onDemand: OnDemandStreams;
  /** The stream served at `/api/sse`, `/events` and `/publish`. */
  readonly default: ServedStream | undefined;
  /** The configured route that forwards the requests for a path; `undefined` if there is none. */
  forwarded(path: string): Route | undefined;
  /** The route of the dashboard for a path, if the dashboard is served. */
  dashboard(path: string): Route | undefined;
  /** Whether a route with this path pattern is configured. */
  hasRoute(name: string): boolean;
  /** The state of the routes in all processes, as far as it is known here. */
  routes(): RoutesStatus;
  /** The deliveries, in whichever process they run. */
  readonly deliveries: DeliveriesControl;
  /** The current access rules and limits, which may change while the gateway runs. */
  readonly policy: Policy;
  readonly tickets: Tickets;
  readonly admission: Admission;
  readonly replays: ReplayGate;
  /** Limits the scans of a log for matching events. */
  readonly searches: ReplayGate;
  readonly bodies: BodyBudget;
  readonly sessions: Sessions;
  /** The clients in all processes. */
  readonly clients: Clients;
  /** What other processes may ask this one. */
  readonly peerCalls: PeerCalls;
  /** What only the process that ingests knows. */
  readonly diagnostics: Diagnostics;
  /** The number of refused requests since the start, by error code. */
  readonly refused: Record<string, number>;
  /**
   * Reads the configuration again and applies it; absent if it cannot be read again.
   * @throws {SpillwayError} `config-invalid`, `restart-required`: nothing has changed.
   */
  readonly reload?: (() => Promise<void>) | undefined;
  /** The metrics in a text format. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** True once clients are being disconnected, before the gateway is closed or while it is. */
  readonly draining: boolean;
  /** True once the gateway is being closed. */
  readonly closing: boolean;
  /** The processes that serve clients; absent if there is only this one. */
  readonly workers?: (() => readonly WorkerStatus[]) | undefined;
  /**
   * Updates the data from the other processes. Resolves after a timeout at the latest. Absent if there are no others.
   */
  readonly refresh?: (() => Promise<void>) | undefined;
  readonly logger: Logger;
}

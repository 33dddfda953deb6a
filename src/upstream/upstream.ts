/**
 * The client side of the gateway: one connection to an event source, resumed where it stopped.
 * `createUpstream` (in `create-upstream.ts`) drives it as a state machine.
 */
import type { Logger } from "../util/logger.ts";
import type { ErrorCode } from "../errors.ts";

/**
 * - `idle`: never started, or closed because it has no subscribers
 * - `connecting`: a request is in progress
 * - `open`: the stream is open
 * - `waiting`: an attempt failed or the stream broke; the next attempt is due at `retryAt`
 * - `stopped`: stopped by a `204` of the source, or by a final failure such as that of a transform, until the next `start`
 */
export type UpstreamState = "idle" | "connecting" | "open" | "waiting" | "stopped";

/** Request headers, or a function that returns them for every attempt (for tokens that expire). */
export type UpstreamHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

/** One address of the source. */
export interface UpstreamTarget {
  /** May contain credentials: never logged or shown. */
  readonly url: string;
  /** Name in logs and status, instead of the URL. */
  readonly name: string;
}

export interface UpstreamTls {
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly servername?: string | undefined;
  /** Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** JSON pointers (RFC 6901) to the parts of an event in a JSON message. */
export interface Mapping {
  /** The event's id, by which it is recognized if the source repeats it. Default: none. */
  readonly id: string | undefined;
  /** The event's type. Default: `message`. */
  readonly event: string | undefined;
  /** The event's channel. Default: none, or what the source determines. */
  readonly channel: string | undefined;
  /** The event's data. A text is used as it is, any other value as JSON. Default: the whole message. */
  readonly data: string | undefined;
  /** What happens to a message that is not text: it is dropped (default), or its data is base64. */
  readonly binary?: "refuse" | "base64" | undefined;
}

/** What is requested again and again. */
export interface PollOptions {
  readonly kind: "poll";
  /** Time between two requests, in ms. */
  readonly every: number;
  /** By which part of itself `every` is randomly longer or shorter. */
  readonly jitter: number;
  /** JSON pointer to the list of items. Default: the whole response. */
  readonly items: string | undefined;
  /** Whether the API lists the newest item first. */
  readonly reverse: boolean;
  /** The position that a response contains at `from`, and that the next request has in its parameter `query`. */
  readonly cursor: { readonly from: string; readonly query: string; readonly pages: number } | undefined;
  /** What becomes an event: each new item, each changed document, or its changes (RFC 7396, RFC 6902). */
  readonly emit: "items" | "snapshot" | "merge-patch" | "json-patch";
  /** After how many changes the whole document is sent again. */
  readonly snapshotEvery: number;
}

export interface WebSocketOptions {
  readonly kind: "websocket";
  /** Messages that are sent after each connection is opened. */
  readonly send: readonly string[];
  readonly subprotocols: readonly string[];
  /** Time between two pings, in ms. */
  readonly ping: number;
}

/** Redis Pub/Sub. */
export interface RedisOptions {
  readonly kind: "redis";
  readonly subscribe: readonly string[];
  readonly psubscribe: readonly string[];
  /** Maximum memory of messages that wait to be stored, in bytes. Beyond it they are lost, and a gap is announced. */
  readonly backlog: number;
}

export interface MqttOptions {
  readonly kind: "mqtt";
  readonly topics: readonly string[];
  readonly qos: 0 | 1;
  /** Default: `spillway-<stream>`. */
  readonly clientId: string | undefined;
  /** How long the broker keeps messages while the gateway is away, in ms. */
  readonly session: number;
}

export interface AmqpOptions {
  readonly kind: "amqp";
  readonly queue: string;
  /** Maximum number of messages that are not acknowledged yet. */
  readonly prefetch: number;
}

/** How the events of an upstream are obtained: `ndjson` are lines of JSON in one response that does not end. */
export type SourceOptions =
  | { readonly kind: "sse" | "ndjson" }
  | PollOptions
  | WebSocketOptions
  | RedisOptions
  | MqttOptions
  | AmqpOptions;

/** Fully resolved options, including defaults. Times in ms. */
export interface UpstreamOptions {
  readonly targets: readonly UpstreamTarget[];
  /** `failover`: always the first healthy target. `round-robin`: the next target at each attempt. */
  readonly balance: "failover" | "round-robin";
  /** How long a failed target is skipped while another one is available. Default 30 s. */
  readonly coolDown: number;
  readonly source: SourceOptions;
  /** Where the parts of an event are in a message; not for `sse`. */
  readonly mapping: Mapping;
  /** HTTP method, as it is sent (RFC 9110 §9.1). */
  readonly method: string;
  readonly body: string | undefined;
  readonly headers: UpstreamHeaders;
  /**
   * How the last event id is sent: in the `Last-Event-ID` header, or in this query parameter, which has the value
   * `initial` while there is no id. With `message`, as a message of a WebSocket, in the place of `{id}`. `none`: the
   * source cannot resume.
   */
  readonly resume:
    | "header"
    | "none"
    | { readonly query: string; readonly initial?: string | undefined }
    | { readonly message: string; readonly initial?: string | undefined };
  /**
   * `connect`: for TCP and TLS. `headers`: until the response's headers arrive, including redirects; also for a
   * `headers` function. `idle`: time without any byte, even of a comment, after which the stream counts as broken.
   */
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
  /** Full jitter between `min` and a ceiling that doubles up to `max`; reset after a stream was open for `healthy`. */
  readonly backoff: { readonly min: number; readonly max: number; readonly healthy: number };
  readonly maxRedirects: number;
  /** Maximum memory for one event, or for one polled response, in bytes. */
  readonly maxEventBytes: number;
  readonly tls: UpstreamTls | undefined;
  /** URL of an HTTP proxy, which may contain credentials. All sources, even `http:` ones, use a tunnel (`CONNECT`). */
  readonly proxy: string | undefined;
}

/** One event as the upstream sent it. */
export interface UpstreamEvent {
  readonly event: string;
  readonly data: string;
  /**
   * The last event id of the source's clients from this event on, if it changed: from its own block, or from an earlier
   * block without an event. `""` resets it.
   */
  readonly id: string | undefined;
  /** The channel, if the source determines it. */
  readonly channel?: string | undefined;
}

/** An event of the log, by which events without an id are recognized. */
export type StoredEvent = Pick<UpstreamEvent, "event" | "data">;

/** Events that arrived together. None of them was delivered before. */
export interface UpstreamBatch {
  readonly events: readonly UpstreamEvent[];
  /** The last event id to resume with after this batch, including blocks with only an id. `undefined` if unchanged. */
  readonly cursor: string | undefined;
  /** True if events may have been lost before this batch, because the source could not resume. */
  readonly gap: boolean;
}

/** The durable events, used after a resume to drop the events that the source repeats. */
export interface UpstreamHistory {
  /** The last durable event id; `undefined` if the source never sent one. */
  cursor(): string | undefined;
  /** Whether any event was ever received: then a new connection without a cursor means a gap. */
  hasEvents(): boolean;
  /** Whether the log holds an event of the source with this id. */
  hasId(id: string): Promise<boolean>;
  /**
   * The source's events without an own id that were logged after its last event with this id, up to the next id, in
   * order.
   */
  unnamedAfter(id: string): AsyncIterator<UpstreamEvent, void, undefined>;
  /**
   * What the log has in the place of an event of the source, once it is delivered: nothing, one event or several. Absent
   * if it has the event as it is. The event must be delivered as the same object.
   * @throws {UpstreamFailure} as `deliver` does.
   */
  storedAs?(event: UpstreamEvent, signal: AbortSignal): Promise<readonly StoredEvent[]>;
}

/** The current status, for the status page and metrics. Contains no secrets. */
export interface UpstreamStatus {
  readonly state: UpstreamState;
  /** Name of the target in use or tried last. */
  readonly target: string | undefined;
  /** Reconnection attempts in total. */
  readonly reconnects: number;
  /** Events received in total, including those dropped as repeated. */
  readonly received: number;
  /** Events dropped because they were already durable. */
  readonly repeated: number;
  /** Events dropped because they are invalid, or because only a Spillway may send their type. */
  readonly refused: number;
  /** Failed attempts and broken streams in total. */
  readonly errors: number;
  /** Why the last attempt or stream ended. */
  readonly lastError: ErrorCode | undefined;
  /** When the next attempt is due, ms since 1970. */
  readonly retryAt: number | undefined;
  /** When the stream was opened, ms since 1970. */
  readonly openedAt: number | undefined;
}

/** An attempt to connect that has ended, or that has opened the current connection. */
export interface UpstreamAttempt {
  /** In ISO 8601, UTC. */
  readonly startedAt: string;
  /** Name of the target; never its URL. */
  readonly target: string;
  /** `open`: the connection is open. `ended`: the source has closed it. */
  readonly outcome: "open" | "ended" | "failed";
  /** How long the connection was open, in ms; `null` if it was never opened. */
  readonly openFor: number | null;
  /** Why it failed; `null` if it did not. */
  readonly error: ErrorCode | null;
  /** The status of the response that was refused; `null` if there was none. */
  readonly status: number | null;
  /** The code of the underlying error, such as `ECONNREFUSED`; `null` if there is none. */
  readonly reason: string | null;
}

export interface UpstreamDependencies {
  /** Name of the stream in traces. */
  readonly stream?: string | undefined;
  readonly history: UpstreamHistory;
  /** Resolves once the batch is durable; until then nothing more is read. Rejects only if `signal` aborts, or with a final failure. */
  deliver(batch: UpstreamBatch, signal: AbortSignal): Promise<void>;
  /** Called at every state change. */
  onState?(status: UpstreamStatus): void;
  readonly logger: Logger;
}

export interface Upstream {
  /** Connects and stays connected. Idempotent; can be called again after `stop`. */
  start(): void;
  /** Closes the connection; resolves once no `deliver` is running. The state is then `idle`. Idempotent. */
  stop(): Promise<void>;
  status(): UpstreamStatus;
  /** The last attempts, at most 20, the newest first. */
  attempts(): readonly UpstreamAttempt[];
}

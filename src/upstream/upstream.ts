/**
 * The client side of the gateway: one connection to an event source, resumed where it stopped.
 * `createUpstream` (in `create-upstream.ts`) drives it as a state machine.
 */
import type { Logger } from "../util/logger.ts";
import type { ErrorCode } from "../errors.ts";

/**
 * - `idle`: never started, or closed because it has no subscribers
 * - `connecting`: a request is under way
 * - `open`: the stream flows
 * - `waiting`: an attempt failed or the stream broke; the next attempt is due at `retryAt`
 * - `stopped`: stopped permanently, by us or by a `204`
 */
export type UpstreamState = "idle" | "connecting" | "open" | "waiting" | "stopped";

/** Request headers, or a function asked for them at every attempt (for tokens that expire). */
export type UpstreamHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

/** One address of the source. */
export interface UpstreamTarget {
  /** May hold credentials: never shown. */
  readonly url: string;
  /** What logs and status show instead of the URL. */
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

/** Fully resolved: every default is in. Times in ms. */
export interface UpstreamOptions {
  readonly targets: readonly UpstreamTarget[];
  /** `failover`: always the first that is healthy. `round-robin`: the next one at each attempt. */
  readonly balance: "failover" | "round-robin";
  /** How long a target that failed is passed over while another is left. Default 30 s. */
  readonly coolDown: number;
  /** As it is sent (RFC 9110 §9.1). */
  readonly method: string;
  readonly body: string | undefined;
  readonly headers: UpstreamHeaders;
  /**
   * How the last event id is sent: as the `Last-Event-ID` header, or as this query parameter, which has the value `initial` while there is
   * no id to send.
   */
  readonly resume: "header" | { readonly query: string; readonly initial?: string | undefined };
  /**
   * `connect`: for TCP and TLS. `headers`: until the response's headers are there, redirects included; also for a `headers`
   * function. `idle`: silence after which the stream counts as broken; any byte ends it, a comment's too.
   */
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
  /** Full jitter between `min` and a ceiling that doubles up to `max`; back to `min` after `healthy` of an open stream. */
  readonly backoff: { readonly min: number; readonly max: number; readonly healthy: number };
  readonly maxRedirects: number;
  /** Bound of one event's memory, in bytes. */
  readonly maxEventBytes: number;
  readonly tls: UpstreamTls | undefined;
  /** An HTTP proxy's URL, which may hold credentials. Any source is reached through a tunnel (`CONNECT`), `http:` ones too. */
  readonly proxy: string | undefined;
}

/** One event as the upstream sent it. */
export interface UpstreamEvent {
  readonly event: string;
  readonly data: string;
  /**
   * The last event id that the source's clients have from this event on, if it is another than before: from its own block, or from one
   * before it that had no event. `""` where they forget it.
   */
  readonly id: string | undefined;
}

/** What arrived together. Nothing in it was delivered before. */
export interface UpstreamBatch {
  readonly events: readonly UpstreamEvent[];
  /** The last event id after this batch (id-only blocks included): what to resume with. `undefined` if unchanged. */
  readonly cursor: string | undefined;
  /** True where events may have been lost before this batch, because the source could not resume. */
  readonly gap: boolean;
}

/** What is durable already: asked right after a resume, to drop what the source sends again. */
export interface UpstreamHistory {
  /** The last event id that is durable, `undefined` if the source never gave one. */
  cursor(): string | undefined;
  /** Whether anything was ever received: without a cursor, a new connection then means a gap. */
  hasEvents(): boolean;
  /** Whether an event of the source with this id is held. */
  hasId(id: string): Promise<boolean>;
  /** The source's events without an id of their own that were logged between its last event with this id and its next one, in order. */
  unnamedAfter(id: string): AsyncIterator<UpstreamEvent, void, undefined>;
}

/** Now. For `status` and metrics; holds nothing secret. */
export interface UpstreamStatus {
  readonly state: UpstreamState;
  /** Name of the target in use or tried last. */
  readonly target: string | undefined;
  /** Attempts that followed a break, ever. */
  readonly reconnects: number;
  /** Events received in total, including those dropped as repeated. */
  readonly received: number;
  /** Events dropped because they were durable already. */
  readonly repeated: number;
  /** Events dropped because only a Spillway may send their type. */
  readonly refused: number;
  /** Failed attempts and broken streams, ever. */
  readonly errors: number;
  /** Why the last attempt or stream ended. */
  readonly lastError: ErrorCode | undefined;
  /** When the next attempt is due, ms since 1970. */
  readonly retryAt: number | undefined;
  /** When the stream was opened, ms since 1970. */
  readonly openedAt: number | undefined;
}

export interface UpstreamDependencies {
  /** What traces call it. */
  readonly stream?: string | undefined;
  readonly history: UpstreamHistory;
  /** Takes a batch and resolves once it is durable; nothing more is read before. Never rejects but when `signal` of the upstream stops it. */
  deliver(batch: UpstreamBatch, signal: AbortSignal): Promise<void>;
  /** Called at every change of state. */
  onState?(status: UpstreamStatus): void;
  readonly logger: Logger;
}

export interface Upstream {
  /** Connects and stays connected. Idempotent; after `stop` it starts anew. */
  start(): void;
  /** Closes the connection; resolves once no `deliver` is under way. Idempotent. `idle` is the state after it. */
  stop(): Promise<void>;
  status(): UpstreamStatus;
}

/** The options of a route, checked and complete. Durations are in ms, sizes in bytes. */
import type { Retention } from "../log/log.ts";
import type { UpstreamTls } from "../upstream/upstream.ts";

/** One server behind a route. */
export interface TargetOptions {
  /** What logs, metrics and `/status` show in the place of the URL. */
  readonly name: string;
  /** http or https. Its path is put before that of each request; it has no query. */
  readonly url: string;
  /** Its share of the requests, compared with the other targets; 0 for none unless all others fail. */
  readonly weight: number;
}

/** What a hash is taken of, so that equal requests go to the same target. */
export type HashKey = "subject" | "address" | `header:${string}` | `cookie:${string}`;

/**
 * How a target is chosen: the first healthy one, each in turn, the one with fewer open requests of two random ones, or
 * by a consistent hash.
 */
export type Balance = "failover" | "round-robin" | "least-requests" | { readonly hash: HashKey };

/** Regular requests to each target, which expect a status from 200 to 399. */
export interface HealthOptions {
  /** The path on the target's server, without that of the target's URL. */
  readonly path: string;
  /** Each interval is up to a tenth shorter or longer. */
  readonly every: number;
  readonly timeout: number;
  /** Good answers in a row after which a target is used again. */
  readonly up: number;
  /** Bad ones in a row after which it is no longer used. */
  readonly down: number;
}

/**
 * Takes a target out after failed requests: those without an answer, with a broken one, or with status 502, 503 or 504.
 * A 500 is an answer of the application, which the other targets would give, too.
 */
export interface EjectOptions {
  /** Failures in a row. */
  readonly errors: number;
  /**
   * How long the first time. Each further ejection takes as much longer, up to ten times, and one less for each such
   * time without an ejection.
   */
  readonly for: number;
  /** The part of the targets, 0 to 1, that may be ejected at a time. */
  readonly most: number;
}

/**
 * What may be tried again: `refused` a connection that was not made, `unsent` a request of which no byte was sent, or
 * an idempotent one whose connection broke before its answer; a number is a status of the target's answer to an
 * idempotent request, 504 also an answer that did not come in time.
 */
export type RetryCause = "refused" | "unsent" | 502 | 503 | 504;

export interface RetryOptions {
  /** Further attempts for one request, at most. */
  readonly attempts: number;
  readonly on: readonly RetryCause[];
  /** Retries, at most, as a part of the requests of the last ten seconds; a few are always allowed. */
  readonly budget: number;
}

export interface RouteUpstreamOptions {
  readonly targets: readonly TargetOptions[];
  readonly balance: Balance;
  readonly health: HealthOptions | undefined;
  readonly eject: EjectOptions | undefined;
  /** Over how long a target that is new or was not used takes up its full share. */
  readonly slowStart: number;
  /** Requests that one target has at a time, at most, from this process. */
  readonly connections: number;
  /** Requests that wait for a target at its limit, and for how long. */
  readonly queue: { readonly length: number; readonly for: number };
  readonly retry: RetryOptions;
  readonly timeouts: {
    readonly connect: number;
    /** From the request to the head of the answer. */
    readonly headers: number;
    /** Silence of a body, in either direction. */
    readonly idle: number;
  };
  readonly tls: UpstreamTls | undefined;
  /** Whether HTTP/2 is spoken to a target that offers it. */
  readonly http2: boolean;
}

/** Changes of a message's header fields; names in lower case. */
export interface HeaderRules {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

/** What becomes of the client's credential. `drop` removes it, `set` replaces it by a value of `Authorization`. */
export type CredentialRule = "drop" | "keep" | { readonly set: string };

/** A module that changes the events of a route. */
export interface TransformOptions {
  /** Real path of the module. */
  readonly module: string;
  /** What becomes of an event for which the module throws. */
  readonly onError: "skip" | "pass" | "stop";
}

/** How clients with equal requests for an event stream share one request to the target. */
export interface ShareOptions {
  /** Distinct requests that are shared at a time, at most. */
  readonly streams: number;
  /** How long the response and its log are kept without a client. */
  readonly linger: number;
  /** Request headers that are forwarded, in lower case. Requests that differ in one of them are not equal. */
  readonly vary: readonly string[];
  /** How much of each response is kept for clients that resume. */
  readonly retention: Retention;
}

export interface RouteOptions {
  readonly upstream: RouteUpstreamOptions;
  /** Whether a caller needs the right `proxy` for it, or the target decides. */
  readonly access: "required" | "none";
  readonly path: { readonly strip: string; readonly prepend: string };
  /** Whose `Host` the target sees. */
  readonly host: "target" | "client";
  readonly headers: { readonly request: HeaderRules; readonly response: HeaderRules };
  /** How the target learns the client's address, host and scheme. */
  readonly forwarded: "x-forwarded" | "rfc7239" | "none";
  readonly credential: CredentialRule;
  readonly websocket: boolean;
  /** Whether a client that ends its side of the connection has left, or waits for its response. */
  readonly halfClose: "leave" | "wait";
  readonly transform: TransformOptions | undefined;
  /** Silence of an event stream after which a comment is sent to the client; absent for never. */
  readonly heartbeat: number | undefined;
  /** Absent if every client has a request of its own. */
  readonly share: ShareOptions | undefined;
}

/** The routes by their path patterns. */
export type Routes = Readonly<Record<string, RouteOptions>>;

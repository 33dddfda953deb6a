/** The configuration as its author writes it, in a file or in code. `resolveConfig` turns it into `GatewayOptions`. */
import type { AccessConfig } from "./access-config.ts";
import type { LimitsConfig } from "./limits-config.ts";
import type { UpstreamHeaders } from "../upstream/upstream.ts";

/** A number of milliseconds, or text: `500ms`, `10s`, `5m`, `24h`, `7d`. */
export type Duration = number | string;

/** A number of bytes, or text: `256KiB`, `1GiB` (powers of 1024), `10MB` (powers of 1000). */
export type Size = number | string;

/** A whole number; in text, `_` may group digits: `1_000_000`. */
export type Count = number | string;

/** The whole configuration. Every member has a default; only `streams` (or a `preset`) has to be given. */
export interface GatewayConfig {
  /** A ready-made configuration that reads the environment; what is written beside it wins. Default: none. */
  readonly preset?: "surflux" | undefined;
  /**
   * Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every address), or a number: that port on
   * 127.0.0.1. An address other than loopback needs `access`. Default: `127.0.0.1:8080`.
   */
  readonly listen?: string | number | undefined;
  /**
   * Where the log is kept: `sqlite:<path>` (relative to the working directory), `memory:`, or an engine that several nodes share:
   * `postgres://…`, `mysql://…`, `redis://…`, `nats://…`. Default: `sqlite:./spillway.db`.
   */
  readonly store?: string | undefined;
  /** Settings of the SQLite store. */
  readonly sqlite?: SqliteConfig | undefined;
  /** How nodes agree that share a store: PostgreSQL, MySQL, Redis, NATS. */
  readonly cluster?: ClusterConfig | undefined;
  /**
   * Processes that serve clients, 1 to 256, or `auto`: as many as the machine runs at once. With 1 the one process does everything.
   * More need a store that several processes can read (`sqlite:`), and are for `spillway serve`. Default: 1.
   */
  readonly workers?: Count | undefined;
  /** Serves HTTPS with HTTP/2, and HTTP/1.1 for those who have no other, on one port. Default: plain HTTP/1.1. */
  readonly tls?: TlsConfig | undefined;
  /**
   * Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed: addresses and networks such as
   * `10.0.0.0/8`. Default: none.
   */
  readonly trustProxy?: readonly string[] | undefined;
  /**
   * Host names that the gateway's own server answers to, beside localhost and the addresses of loopback; in names `*` stands for any
   * characters. A request with another `Host` is refused with 421. Default: on a loopback address, while clients without a credential may
   * do something, none; else any name.
   */
  readonly hosts?: readonly string[] | undefined;
  /** Over how long a stopping gateway lets its subscribers go, at most; a second for each thousand of them. Default: `10s`. */
  readonly drain?: Duration | undefined;
  /** A folder whose files everyone may read at `/`; relative to the working directory. Default: a small page about the streams. */
  readonly static?: string | undefined;
  /** The stream that `/api/sse` serves. Default: the only stream; none when there are several. */
  readonly default?: string | undefined;
  /** The streams by name: a letter or digit, then at most 63 letters, digits, `_` and `-`. */
  readonly streams?: Readonly<Record<string, StreamConfig>> | undefined;
  /** Who may do what. Default on a loopback address: anonymous clients may subscribe; required on any other. */
  readonly access?: AccessConfig | undefined;
  /** Bounds on what clients may use up. */
  readonly limits?: LimitsConfig | undefined;
}

/** How nodes that share a store agree. */
export interface ClusterConfig {
  /** How long the right to ingest a stream outlasts a node that has died; 1 s to 1 h. Default: `10s`. */
  readonly lease?: Duration | undefined;
  /** The name of this node in `/status` of the others. Default: host name and process id. */
  readonly node?: string | undefined;
}

/** Settings of the SQLite store. */
export interface SqliteConfig {
  /** What a commit waits for: `full` survives a power cut, `normal` may lose the last moments to one. Default: `full`. */
  readonly synchronous?: "full" | "normal" | undefined;
}

/** One stream. */
export interface StreamConfig {
  /** Where its events come from. Default: nowhere; the stream is only published to. */
  readonly upstream?: UpstreamConfig | undefined;
  /** Where an upstream event's channel is found in its JSON data: a JSON pointer such as `/symbol`. Default: no channels. */
  readonly channel?: string | undefined;
  /** Whose ids clients see: `gateway` (`<epoch>.<seq>`) or `upstream` (passed through). Default: `gateway`. */
  readonly ids?: "gateway" | "upstream" | undefined;
  /** How much is kept; the oldest events go as soon as one bound is passed. */
  readonly retention?: RetentionConfig | undefined;
  /** Silence after which a comment keeps connections alive, at least `10ms`; or the same with an event in its place. Default: `15s`. */
  readonly heartbeat?: Duration | HeartbeatConfig | undefined;
  /** After how long clients are asked to reconnect when their connection breaks. Default: none, which leaves it to the client. */
  readonly retry?: Duration | undefined;
  /**
   * How long an event may wait for others, so that they leave in one write: trades latency for CPU time; at most `10s`. Default: `0ms`,
   * where only what comes while the process is busy leaves together.
   */
  readonly coalesce?: Duration | undefined;
}

/** What keeps a silent connection alive. */
export interface HeartbeatConfig {
  /** Silence after which it is sent; at least `10ms`. Default: `15s`. */
  readonly interval?: Duration | undefined;
  /**
   * Sends an event of this type, with the time in its JSON data, instead of a comment, which programs in browsers do not see.
   * Default: none.
   */
  readonly event?: string | undefined;
}

/** How much of a stream is kept. `none` lifts a bound. */
export interface RetentionConfig {
  /** Events older than this go. Default: `24h`. */
  readonly age?: Duration | undefined;
  /** At most this many events. Default: `none`. */
  readonly events?: Count | undefined;
  /** At most this much data. Default: `1GiB`. */
  readonly bytes?: Size | undefined;
  /** At most this many idempotency keys of publishers; beyond it the oldest of whoever has most go. Default: `100_000`. */
  readonly keys?: Count | undefined;
}

/** How clients reach the gateway encrypted. `cert` and `key` are PEM text or the path of a PEM file, which is read again when it changes. */
export interface TlsConfig {
  /** The certificate, followed by those between it and the authority. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
}

/** The source of a stream: give `url` or `urls`. */
export interface UpstreamConfig {
  /** The source's address, http or https; credentials in it are never shown. */
  readonly url?: string | undefined;
  /** Several addresses of one source, tried by `balance`. A `name` is what logs show. Default name: `target-<n>`. */
  readonly urls?: readonly (string | UpstreamTargetConfig)[] | undefined;
  /** `failover`: the first healthy target; `round-robin`: the next at each attempt. Default: `failover`. */
  readonly balance?: "failover" | "round-robin" | undefined;
  /** How long a target that failed is passed over while another is left. Default: `30s`. */
  readonly coolDown?: Duration | undefined;
  /** Any method that a stream can answer, such as `REPORT`. Default: `POST` with a `body`, else `GET`. */
  readonly method?: string | undefined;
  /** The request's body. Default: none. */
  readonly body?: string | undefined;
  /** Request headers; in code also a function, asked at every attempt. Default: none. */
  readonly headers?: UpstreamHeaders | undefined;
  /**
   * How the last event id is sent: the `Last-Event-ID` header, or a query parameter. `initial` is the value to send while no id is stored,
   * such as `$` or `0`; without it the parameter is then absent. Default: `header`.
   */
  readonly resume?: "header" | { readonly query: string; readonly initial?: string | number | undefined } | undefined;
  /** `always`: stay connected, so that the log has no holes; `on-demand`: only while someone subscribes. Default: `always`. */
  readonly connect?: "always" | "on-demand" | undefined;
  /** With `on-demand`: how long the connection outlives the last subscriber. Default: `30s`. */
  readonly linger?: Duration | undefined;
  /** How long each phase of a connection may take. */
  readonly timeouts?: UpstreamTimeoutsConfig | undefined;
  /** The wait between attempts. */
  readonly backoff?: UpstreamBackoffConfig | undefined;
  /** Redirects followed in one attempt, at most 20. Default: 5. */
  readonly redirects?: Count | undefined;
  /** Bound of one event's memory; beyond it, and beyond 2 KiB of its id or type, the connection is given up. Default: `16MiB`. */
  readonly maxEventBytes?: Size | undefined;
  /** TLS settings of the connection. Default: Node's own. */
  readonly tls?: UpstreamTlsConfig | undefined;
  /** URL of an HTTP proxy. Default: none; proxy variables of the environment are not read. */
  readonly proxy?: string | undefined;
}

/** One address of a source. */
export interface UpstreamTargetConfig {
  /** http or https; credentials in it are never shown. */
  readonly url: string;
  /** What logs and status show. Default: `target-<n>`. */
  readonly name?: string | undefined;
}

/** How long each phase of an upstream connection may take. */
export interface UpstreamTimeoutsConfig {
  /** Until the connection stands, TLS included. Default: `10s`. */
  readonly connect?: Duration | undefined;
  /** From the request until the response's headers. Default: `30s`. */
  readonly headers?: Duration | undefined;
  /** Silence of an open stream, comments counting as sound. Default: `90s`. */
  readonly idle?: Duration | undefined;
}

/** The wait between attempts: random up to a ceiling that doubles from `min` to `max`. */
export interface UpstreamBackoffConfig {
  /** Default: `500ms`. */
  readonly min?: Duration | undefined;
  /** Default: `30s`. */
  readonly max?: Duration | undefined;
  /** An open stream of this length brings the ceiling back to `min`. Default: `10s`. */
  readonly healthy?: Duration | undefined;
}

/** TLS of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
export interface UpstreamTlsConfig {
  /** Authorities to trust instead of Node's. */
  readonly ca?: string | undefined;
  /** Client certificate. */
  readonly cert?: string | undefined;
  /** The client certificate's private key. */
  readonly key?: string | undefined;
  /** Name to ask for and to check, where it is not the URL's host. */
  readonly servername?: string | undefined;
  /** `false` accepts any certificate: for tests only. Default: true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

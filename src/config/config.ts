/**
 * The configuration as its author writes it, in a file or in code. `resolveConfig` turns it into `GatewayOptions`.
 * Generated from the declarations in this folder by `npm run generate`.
 */
import type { AuthorizeFunction } from "../access/authorize.ts";
import type { Right } from "../access/identity.ts";
import type { UpstreamHeaders } from "../upstream/upstream.ts";

/** A number of milliseconds, or text: `500ms`, `10s`, `5m`, `24h`, `7d`. */
export type Duration = number | string;

/** A number of bytes, or text: `256KiB`, `1GiB` (powers of 1024), `10MB` (powers of 1000). */
export type Size = number | string;

/** A whole number; in text, `_` may group digits: `1_000_000`. */
export type Count = number | string;

/** The whole configuration. Every key has a default; only `streams` (or a `preset`) has to be given. */
export interface GatewayConfig {
  /** A ready-made configuration that reads the environment: `surflux`. What is written beside it wins. */
  readonly preset?: "surflux" | undefined;
  /**
   * Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every IPv4 address), or a number: that
   * port on 127.0.0.1. An address other than loopback needs `access`. Default: `127.0.0.1:8080`.
   */
  readonly listen?: string | number | undefined;
  /**
   * What serves subscriptions over HTTP/1.1 at that address. `raw` writes them straight to their sockets, which takes
   * less memory and CPU time. `node` serves every connection through Node's own HTTP server, to tell a fault of one
   * from the other. Default: `raw`.
   */
  readonly listener?: "raw" | "node" | undefined;
  /**
   * Where the log is kept: `sqlite:<path>` (relative to the working directory), `memory:` (gone at the end of the
   * process), or an engine that several nodes share: `postgres://…`, `mysql://…`, `redis://…`, `nats://…`. Default:
   * `sqlite:./spillway.db`.
   */
  readonly store?: string | undefined;
  /** Settings of the SQLite store. */
  readonly sqlite?: SqliteConfig | undefined;
  /** How nodes that share a store coordinate: PostgreSQL, MySQL, Redis, NATS. */
  readonly cluster?: ClusterConfig | undefined;
  /**
   * Processes that serve clients, 1 to 256, or `auto`: as many as the machine runs at once. More than 1 needs `store:
   * sqlite:…` and is for `spillway serve`. Default: `1`.
   */
  readonly workers?: Count | undefined;
  /**
   * Encrypts the connections of clients. `cert` and `key` are PEM text or the path of a PEM file, which is read again
   * when it changes.
   */
  readonly tls?: TlsConfig | undefined;
  /**
   * Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are trusted: addresses and networks
   * such as `10.0.0.0/8`. Default: `[]`.
   */
  readonly trustProxy?: readonly string[] | undefined;
  /**
   * Host names that the gateway's own server answers to, beside `localhost` and loopback addresses: `[feed.example,
   * "*.feed.example"]`. A request with another `Host` gets 421. Without it any name, except on loopback.
   */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Over how long a stopping gateway disconnects its subscribers, at most: a second for each thousand of them.
   * Default: `10s`.
   */
  readonly drain?: Duration | undefined;
  /**
   * A folder whose files everyone may read at `/`, with types, ranges and ETags; relative to the working directory.
   * Names that begin with a dot, links that lead out of it, and paths below `/streams`, `/api` and `/admin` are not
   * served. Without it `/` is a small page with the streams, a live tail and the `curl` line.
   */
  readonly static?: string | undefined;
  /** The stream that `/api/sse` serves. Without it the only stream; none if there are several. */
  readonly default?: string | undefined;
  /** The streams by name: a letter or digit, then at most 63 letters, digits, `_` and `-`. */
  readonly streams?: Readonly<Record<string, StreamConfig>> | undefined;
  /**
   * Who may do what; default deny. Without the section, on a loopback address, anonymous clients may subscribe; on any
   * other address it is required.
   */
  readonly access?: AccessConfig | undefined;
  /** Bounds on what clients may use. `none` lifts the bounds that have it as a value. */
  readonly limits?: LimitsConfig | undefined;
}

/** Settings of the SQLite store. */
export interface SqliteConfig {
  /**
   * What a commit waits for: `full` survives a power cut, `normal` may lose the last moments to one. A killed process
   * loses nothing with either. Default: `full`.
   */
  readonly synchronous?: "full" | "normal" | undefined;
}

/** How nodes that share a store coordinate: PostgreSQL, MySQL, Redis, NATS. */
export interface ClusterConfig {
  /**
   * How long the right to ingest a stream outlasts a node that has died; another node takes over then at the latest. 1
   * s to 1 h. Default: `10s`.
   */
  readonly lease?: Duration | undefined;
  /** The name of this node in `/status` of the others. Without it host name and process id. */
  readonly node?: string | undefined;
}

/**
 * Encrypts the connections of clients. `cert` and `key` are PEM text or the path of a PEM file, which is read again
 * when it changes.
 */
export interface TlsConfig {
  /**
   * Serves HTTPS with HTTP/2, and with HTTP/1.1 to clients without HTTP/2, on one port: the certificate, followed by
   * the intermediate certificates. PEM text or the path of a PEM file, which is read again when it changes.
   */
  readonly cert: string;
  /** The certificate's private key, in the same way. */
  readonly key: string;
}

/** One stream. */
export interface StreamConfig {
  /** The source of a stream: give `url` or `urls`. */
  readonly upstream?: UpstreamConfig | undefined;
  /** Where an upstream event's channel is found in its JSON data: a JSON pointer (RFC 6901) such as `/symbol`. */
  readonly channel?: string | undefined;
  /**
   * Whose ids clients see: `gateway` (`<epoch>.<seq>`), or `upstream`: the source's own, so that clients can move
   * between it and the gateway. Default: `gateway`.
   */
  readonly ids?: "gateway" | "upstream" | undefined;
  /** How much of a stream is kept; the oldest events are deleted as soon as one bound is passed. */
  readonly retention?: RetentionConfig | undefined;
  /**
   * Silence after which a comment keeps connections alive; at least 10 ms. `{ interval: 15s, event: heartbeat }` sends
   * an event of that type instead. Default: `15s`.
   */
  readonly heartbeat?: HeartbeatConfig | Duration | undefined;
  /**
   * After how long clients are asked to reconnect when their connection breaks. Without it the client decides:
   * browsers wait 3 to 5 s.
   */
  readonly retry?: Duration | undefined;
  /**
   * How long an event may wait for others, so that they leave in one write: trades latency for CPU time; at most
   * `10s`. With `0ms` only what comes while the process is busy leaves together. Default: `0ms`.
   */
  readonly coalesce?: Duration | undefined;
}

/** The source of a stream: give `url` or `urls`. */
export interface UpstreamConfig {
  /**
   * The source's address, http or https; credentials in it are never shown. A stream without an upstream is only
   * published to.
   */
  readonly url?: string | undefined;
  /**
   * Several addresses of one source instead, tried by `balance`: texts, or `{ url, name }` where the name is what logs
   * show (else `target-<n>`).
   */
  readonly urls?: readonly (UpstreamTargetConfig | string)[] | undefined;
  /** `failover`: the first healthy target. `round-robin`: the next one at each attempt. Default: `failover`. */
  readonly balance?: "failover" | "round-robin" | undefined;
  /** How long a target that failed is skipped while another is available. Default: `30s`. */
  readonly coolDown?: Duration | undefined;
  /**
   * Any method that an event stream can answer, such as `GET`, `POST` or `REPORT`. Without it `POST` if there is a
   * `body`, else `GET`.
   */
  readonly method?: string | undefined;
  /** The request's body. */
  readonly body?: string | undefined;
  /** Request headers. In code also a function, called at every attempt, for tokens that expire. Default: `{}`. */
  readonly headers?: UpstreamHeaders | undefined;
  /**
   * How the last event id is sent: in the `Last-Event-ID` header, or with `{ query: <name> }` in that query parameter.
   * `{ query: last-id, initial: "$" }` sends the value of `initial` while no id is stored: for example `"$"` for new
   * events only, or `"0"` for all that the source holds. Default: `header`.
   */
  readonly resume?: "header" | { readonly query: string; readonly initial?: string | number | undefined } | undefined;
  /**
   * `always` stays connected, so that the log has no gaps. `on-demand` connects with the first subscriber and closes
   * `linger` after the last. Default: `always`.
   */
  readonly connect?: "always" | "on-demand" | undefined;
  /** How long an on-demand connection outlives its last subscriber. Default: `30s`. */
  readonly linger?: Duration | undefined;
  /** How long each phase of an upstream connection may take. */
  readonly timeouts?: UpstreamTimeoutsConfig | undefined;
  /** The wait between attempts: random, up to a ceiling that doubles from `min` to `max`. */
  readonly backoff?: UpstreamBackoffConfig | undefined;
  /** Redirects followed in one attempt, at most 20. Default: `5`. */
  readonly redirects?: Count | undefined;
  /**
   * Bound of one event's memory; beyond it the connection is closed and made again. An id or a type has at most 2 KiB.
   * Default: `16MiB`.
   */
  readonly maxEventBytes?: Size | undefined;
  /** TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
  readonly tls?: UpstreamTlsConfig | undefined;
  /** URL of an HTTP proxy. Proxy variables of the environment are not read. */
  readonly proxy?: string | undefined;
}

/** One address of a source. */
export interface UpstreamTargetConfig {
  /** http or https; credentials in it are never shown. */
  readonly url: string;
  /** What logs and status show. Without it `target-<n>`. */
  readonly name?: string | undefined;
}

/** How long each phase of an upstream connection may take. */
export interface UpstreamTimeoutsConfig {
  /** Until the connection is established, TLS included. Default: `10s`. */
  readonly connect?: Duration | undefined;
  /** From the request until the response's headers. Default: `30s`. */
  readonly headers?: Duration | undefined;
  /** Silence of an open stream; comments end it too. Default: `90s`. */
  readonly idle?: Duration | undefined;
}

/** The wait between attempts: random, up to a ceiling that doubles from `min` to `max`. */
export interface UpstreamBackoffConfig {
  /**
   * The wait before an attempt is random, up to a ceiling that starts here and doubles up to `max`. Default: `500ms`.
   */
  readonly min?: Duration | undefined;
  /** The highest ceiling of the wait. Default: `30s`. */
  readonly max?: Duration | undefined;
  /** A stream that was open for this long resets the ceiling to `min`. Default: `10s`. */
  readonly healthy?: Duration | undefined;
}

/** TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
export interface UpstreamTlsConfig {
  /** Authorities to trust instead of Node's: PEM text or the path of a PEM file, as in the next two. */
  readonly ca?: string | undefined;
  /** Client certificate. */
  readonly cert?: string | undefined;
  /** The client certificate's private key. */
  readonly key?: string | undefined;
  /** Name to ask for and to check, if it is not the URL's host. */
  readonly servername?: string | undefined;
  /** `false` accepts any certificate: for tests only. Without it `true`. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How much of a stream is kept; the oldest events are deleted as soon as one bound is passed. */
export interface RetentionConfig {
  /** Events older than this are deleted. `none` lifts the bound, here and in the next three. Default: `24h`. */
  readonly age?: Duration | undefined;
  /** At most this many events are kept. Default: `none`. */
  readonly events?: Count | undefined;
  /** At most this much is kept: data, types, channels and ids, and 128 bytes for each event. Default: `1GiB`. */
  readonly bytes?: Size | undefined;
  /**
   * At most this many idempotency keys are remembered. Beyond it the oldest ones of the publisher that has the most
   * are forgotten. Default: `100_000`.
   */
  readonly keys?: Count | undefined;
}

/** What keeps a silent connection alive. */
export interface HeartbeatConfig {
  /** Silence after which it is sent; at least `10ms`. Default: `15s`. */
  readonly interval?: Duration | undefined;
  /**
   * Sends an event of this type, with the time in its JSON data, instead of a comment, which programs in browsers do
   * not see.
   */
  readonly event?: string | undefined;
}

/**
 * Who may do what; default deny. Without the section, on a loopback address, anonymous clients may subscribe; on any
 * other address it is required.
 */
export interface AccessConfig {
  /**
   * What clients without a credential may do: a list of rights (`subscribe`, `publish`, `admin`: status, metrics,
   * reload, the subscribers of others), or a grant. Without it nothing.
   */
  readonly anonymous?: readonly Right[] | GrantConfig | undefined;
  /**
   * API keys: `{ name, hash, expires }` and a grant. `spillway key new` prints a key and its entry, `spillway key
   * hash` the entry of a key that you have. Default: `[]`.
   */
  readonly keys?: readonly KeyConfig[] | undefined;
  /**
   * Which JSON Web Tokens are accepted. A token grants what its claim `spillway: { can, streams, channels, events,
   * broadcast }` says.
   */
  readonly jwt?: JwtConfig | undefined;
  /**
   * Name of the cookie that may hold a token instead of the `Authorization` header; a request with it must come from
   * an allowed origin.
   */
  readonly cookie?: string | undefined;
  /** Tickets, with which an `EventSource` authenticates. */
  readonly tickets?: TicketsConfig | undefined;
  /** A service that decides: `{ url, timeout: 2s, cache: 5s, stale: 30s }`. In code also a function. */
  readonly authorize?: AuthorizeConfig | AuthorizeFunction | undefined;
  /** Which pages of other origins may use the gateway (CORS). */
  readonly cors?: CorsConfig | undefined;
}

/** What a client may do, and with what. In names `*` stands for any characters. */
export interface GrantConfig {
  /** Rights: `subscribe`, `publish`, `admin`. Default: `[subscribe]`. */
  readonly can?: readonly Right[] | undefined;
  /** Streams. Without it all. */
  readonly streams?: readonly string[] | undefined;
  /** Channels; with a list, events without a channel are left out. Without it all, and events without a channel. */
  readonly channels?: readonly string[] | undefined;
  /**
   * With `channels`: whether a subscriber that asks for no channel by name also gets events without a channel. It
   * never allows publishing them. Without it `false`.
   */
  readonly broadcast?: boolean | undefined;
  /** Event types. Without it all. */
  readonly events?: readonly string[] | undefined;
}

/** An API key, with its grant. */
export interface KeyConfig {
  /** The key's name in logs and metrics. */
  readonly name: string;
  /**
   * The hash of the key, which may be any secret: `sha256:<hex>`, `sha256:<salt>:<hex>` (of the salt and the secret
   * behind it), or scrypt in the PHC string format. `spillway key hash` makes it.
   */
  readonly hash: string;
  /** When the key expires: an RFC 3339 time. Without it never. */
  readonly expires?: string | undefined;
  /** Rights: `subscribe`, `publish`, `admin`. Default: `[subscribe]`. */
  readonly can?: readonly Right[] | undefined;
  /** Streams. Without it all. */
  readonly streams?: readonly string[] | undefined;
  /** Channels; with a list, events without a channel are left out. Without it all, and events without a channel. */
  readonly channels?: readonly string[] | undefined;
  /**
   * With `channels`: whether a subscriber that asks for no channel by name also gets events without a channel. It
   * never allows publishing them. Without it `false`.
   */
  readonly broadcast?: boolean | undefined;
  /** Event types. Without it all. */
  readonly events?: readonly string[] | undefined;
}

/**
 * Which JSON Web Tokens are accepted. A token grants what its claim `spillway: { can, streams, channels, events,
 * broadcast }` says.
 */
export interface JwtConfig {
  /** The secret of tokens signed with HS256, HS384 or HS512, at least 32 bytes. Give one of this and the next two. */
  readonly secret?: string | undefined;
  /** The issuer's public key: PEM text or the path of a PEM file. */
  readonly publicKey?: string | undefined;
  /**
   * URL of the issuer's key set. It is cached, fetched again for an unknown key, and used for 24 hours more while the
   * issuer cannot be reached.
   */
  readonly jwks?: string | undefined;
  /** What the claim `iss` must be. Without it the claim is not checked. */
  readonly issuer?: string | undefined;
  /** What the claim `aud` must be or contain. Without it the claim is not checked. */
  readonly audience?: string | undefined;
  /** Accepted algorithms. Without it `[HS256]` with a secret, else `[RS256, ES256, EdDSA]`. */
  readonly algorithms?: readonly string[] | undefined;
  /** How far the clocks of issuer and gateway may differ. Default: `5s`. */
  readonly clockTolerance?: Duration | undefined;
  /** Rights of every accepted token, beside those of its `spillway` claim. Default: `[]`. */
  readonly can?: readonly Right[] | undefined;
  /**
   * Whether the subscribers of every accepted token also get events without a channel, besides those of the granted
   * channels; a token's `spillway` claim may say so too. Default: `false`.
   */
  readonly broadcast?: boolean | undefined;
  /**
   * Which claims hold the parts of a grant, instead of the `spillway` claim. A token without the claim gets nothing of
   * that part.
   */
  readonly claims?: ClaimsConfig | undefined;
}

/**
 * Which claims hold the parts of a grant, instead of the `spillway` claim. A token without the claim gets nothing of
 * that part.
 */
export interface ClaimsConfig {
  /** Streams out of another claim: `claim:<name>`, or `claim:<name> → <text with {}>`. */
  readonly streams?: string | undefined;
  /** Channels in the same way: `claim:tenant → tenant:{}`. */
  readonly channels?: string | undefined;
  /** Event types in the same way. */
  readonly events?: string | undefined;
}

/** Tickets, with which an `EventSource` authenticates. */
export interface TicketsConfig {
  /** The longest that a ticket can be used, whatever its credential says. Default: `12h`. */
  readonly lifetime?: Duration | undefined;
  /** How soon it must be used first. Default: `30s`. */
  readonly firstUse?: Duration | undefined;
  /** Whether clients without a credential get tickets; they do not need them. Default: `false`. */
  readonly anonymous?: boolean | undefined;
  /**
   * Tickets that one key or user holds, or one address without a credential. Beyond it the used ticket that was not
   * used for longest is removed; if none was used, the answer is 429. At most 100,000. Default: `10_000`.
   */
  readonly perSubject?: Count | undefined;
  /** Tickets made for one address that were not used yet; beyond it 429. At most 100,000. Default: `10_000`. */
  readonly perAddress?: Count | undefined;
  /** What the tickets of one key or user may take, about 1 kB each; beyond it as with `perSubject`. Default: `8MiB`. */
  readonly bytes?: Size | undefined;
}

/** A service that decides who may do what. */
export interface AuthorizeConfig {
  /** Asked with a POST; 200 with rights as JSON grants them, 401 and 403 refuse, anything else is answered with 503. */
  readonly url: string;
  /** How long the service may take. Default: `2s`. */
  readonly timeout?: Duration | undefined;
  /** How long an answer is used again for the same credential and stream; `0s` asks every time. Default: `5s`. */
  readonly cache?: Duration | undefined;
  /**
   * How much longer an answer that granted something is used while the service does not answer or is too busy; `0s`
   * not at all. Default: `30s`.
   */
  readonly stale?: Duration | undefined;
}

/** Which pages of other origins may use the gateway (CORS). */
export interface CorsConfig {
  /** Pages of which origins may use the gateway: `https://app.example`, or `"*"` alone. Default: `[]`. */
  readonly origins?: readonly string[] | undefined;
  /** Whether they may send cookies. Default: `false`. */
  readonly credentials?: boolean | undefined;
  /** How long a browser may keep the answer of a preflight. Default: `10m`. */
  readonly maxAge?: Duration | undefined;
}

/** Bounds on what clients may use. `none` lifts the bounds that have it as a value. */
export interface LimitsConfig {
  /**
   * Subscriptions and held long polls, over all workers; beyond it 503. Limits says more of each. Default: `50_000`.
   */
  readonly connections?: Count | undefined;
  /** Those of one subject (key or user) that is not anonymous; beyond it 429. Default: `none`. */
  readonly perSubject?: Count | undefined;
  /** Those of one address; beyond it 429. Default: `none`. */
  readonly perAddress?: Count | undefined;
  /**
   * New subscriptions of one key or user, and attempts of one address, in a time: `100/15m`; beyond it 429. Default:
   * `none`.
   */
  readonly connectRate?: string | undefined;
  /**
   * Requests of one address in a time, counted before anything is known of them: `1000/1m`; beyond it 429. Default:
   * `none`.
   */
  readonly requestRate?: string | undefined;
  /**
   * Different unknown credentials from one address in a time; beyond it 429 for a time that doubles, from 1 s to 5
   * min. Credentials that were good at the address before still count. Default: `20/1m`.
   */
  readonly failedCredentials?: string | undefined;
  /**
   * Publish requests of one key or user, or of one address if anonymous, in a time: `100/1s`; beyond it 429. Default:
   * `none`.
   */
  readonly publishRate?: string | undefined;
  /** Names in the filter of one subscription, at most 1000; beyond it 400. Default: `100`. */
  readonly channels?: Count | undefined;
  /** Length of a request's path and query; beyond it 414. Default: `8KiB`. */
  readonly url?: Size | undefined;
  /** All headers of a request; beyond it 431. Default: `16KiB`. */
  readonly headers?: Size | undefined;
  /** Subscriptions that are replayed to at the same time; others wait. Default: `5_000`. */
  readonly replays?: Count | undefined;
  /** How long they wait; then the answer is 503. Default: `10s`. */
  readonly replayWait?: Duration | undefined;
  /**
   * Searches through a log at the same time in one process: `last` with a filter, and long polls whose filter lets
   * little pass. Others wait for up to `limits.replayWait`; one address has at most half of them. Default: `8`.
   */
  readonly searches?: Count | undefined;
  /**
   * Unsent bytes held for one subscriber; beyond it the subscriber is served from the log at its own pace. Default:
   * `256KiB`.
   */
  readonly outbox?: Size | undefined;
  /** A subscriber whose socket accepts nothing for this long is disconnected; at least `10ms`. Default: `60s`. */
  readonly stall?: Duration | undefined;
  /**
   * Largest body of a publish request, at most half of `limits.bodies`; beyond it the answer is 413. Default: `1MiB`.
   */
  readonly body?: Size | undefined;
  /**
   * Bodies of all publish requests that one process reads or stores at the same time; one address has at most half of
   * it. Beyond it the answer is 503. Default: `64MiB`.
   */
  readonly bodies?: Size | undefined;
  /** Events of one publish request; beyond it the answer is 413. Default: `10_000`. */
  readonly events?: Count | undefined;
  /** How long a request may take to arrive. */
  readonly timeouts?: RequestTimeoutsConfig | undefined;
  /** Resident memory of a process beyond which it accepts no new subscription (503). Default: `none`. */
  readonly memory?: Size | undefined;
  /** Delay of a process's event loop beyond which it accepts no new subscription (503). Default: `2s`. */
  readonly lag?: Duration | undefined;
}

/** How long a request may take to arrive. */
export interface RequestTimeoutsConfig {
  /** How long a request's headers may take to arrive; then the connection is closed. Default: `10s`. */
  readonly headers?: Duration | undefined;
  /** How long a request's body may take to arrive; then the answer is 408. Default: `30s`. */
  readonly body?: Duration | undefined;
}

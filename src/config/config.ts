/**
 * The configuration as its author writes it, in a file or in code. `resolveConfig` turns it into `GatewayOptions`.
 * Generated from the declarations in this folder by `npm run generate`.
 */
import type { AuthorizeFunction } from "../access/authorize.ts";
import type { Right } from "../access/identity.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { UpstreamHeaders } from "../upstream/upstream.ts";

/** A number of milliseconds, or text: `500ms`, `10s`, `5m`, `24h`, `7d`. */
export type Duration = number | string;

/** A number of bytes, or text: `256KiB`, `1GiB` (powers of 1024), `10MB` (powers of 1000). */
export type Size = number | string;

/** A whole number; in text, `_` may group digits: `1_000_000`. */
export type Count = number | string;

/** A part of a whole: `20%`, or a number from 0 to 1. */
export type Percentage = number | string;

/**
 * The whole configuration. `spillway serve` requires `streams`, `routes` or `runs` (or a `preset`); every other option
 * has a default.
 */
export interface GatewayConfig {
  /** A predefined configuration that reads the environment: `surflux`. Other options override it. */
  readonly preset?: "surflux" | undefined;
  /**
   * Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every IPv4 address), or a number: that
   * port on 127.0.0.1. An address other than loopback requires `access`. Default: `127.0.0.1:8080`.
   */
  readonly listen?: string | number | undefined;
  /**
   * How subscriptions, and GET and HEAD requests of routes, are served over HTTP/1.1. `raw` reads and writes them
   * directly on their sockets, which takes less memory and CPU time. `node` serves every connection through Node's own
   * HTTP server, to find out which of the two has a fault. Default: `raw`.
   */
  readonly listener?: "raw" | "node" | undefined;
  /**
   * Where the log is stored: `sqlite:<path>` (relative to the working directory), `memory:` (lost at the end of the
   * process), or an engine that several nodes share: `postgres://…`, `mysql://…`, `redis://…`, `nats://…`. Default:
   * `sqlite:./spillway.db`; with nothing but routes without `share`, `memory:`.
   */
  readonly store?: string | undefined;
  /** Settings of the SQLite store. */
  readonly sqlite?: SqliteConfig | undefined;
  /** How nodes that share a store coordinate: PostgreSQL, MySQL, Redis, NATS. */
  readonly cluster?: ClusterConfig | undefined;
  /**
   * Number of processes that serve clients, 1 to 256, or `auto`: the number of available CPU cores. More than 1
   * requires `spillway serve` and, with streams or runs, `store: sqlite:…`. Default: `1`.
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
   * Host names that the gateway's own server accepts, in addition to `localhost` and loopback addresses:
   * `[feed.example, "*.feed.example"]`. A request with another `Host` gets 421. Default: any name, except on loopback.
   */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Maximum time over which a stopping gateway disconnects its subscribers; it takes one second per thousand
   * subscribers. Default: `10s`.
   */
  readonly drain?: Duration | undefined;
  /**
   * A folder whose files are served publicly at `/`, with content types, ranges and ETags; relative to the working
   * directory. Names that begin with a dot, links that lead out of the folder, and paths below `/streams`, `/api`,
   * `/events` and `/admin` are not served. Default: `/` is a small page with the streams, a live tail and the `curl`
   * command.
   */
  readonly static?: string | undefined;
  /**
   * The stream that `/api/sse`, `/events` and `/publish` serve. Default: the only stream; none if there are several.
   */
  readonly default?: string | undefined;
  /**
   * The streams by name: a letter or digit, then at most 63 letters, digits, `_` and `-`. A name with `*`, such as
   * `chat-*`, is a pattern: its streams are made at their first use. Default: `{}`.
   */
  readonly streams?: Readonly<Record<string, StreamConfig>> | undefined;
  /**
   * Requests that are forwarded to other servers, by path patterns: `*` stands for one segment of a path, `/**` at the
   * end for any rest. The most specific pattern applies; the gateway's own paths come first, except `/events` and
   * `/publish`. Default: `{}`.
   */
  readonly routes?: Readonly<Record<string, RouteConfig>> | undefined;
  /**
   * POST requests whose responses are event streams that survive their clients, by path patterns like those of
   * `routes`. Each response is stored while it arrives, and everyone permitted can join it again at `/runs/<id>`. All
   * other requests for these paths are forwarded like those of a route. Default: `{}`.
   */
  readonly runs?: Readonly<Record<string, RunConfig>> | undefined;
  /** Webhooks: the events of a stream, sent to an endpoint by `POST`, by name, like streams. Default: `{}`. */
  readonly deliveries?: Readonly<Record<string, DeliveryConfig>> | undefined;
  /**
   * The dashboard at `/dashboard`: `true`, `false`, or `{ write: true }`. Its users need the right `admin`. Default:
   * `true` on a loopback address, unless `hosts` or `trustProxy` is set, for the gateway's own server; a program that
   * mounts the gateway has to set it.
   */
  readonly dashboard?: boolean | DashboardConfig | undefined;
  /**
   * Access rights; default deny. Without this section, anonymous clients may subscribe and use routes on a loopback
   * address; on any other address the section is required.
   */
  readonly access?: AccessConfig | undefined;
  /** Limits on what clients can use. `none` disables the limits that allow it. */
  readonly limits?: LimitsConfig | undefined;
}

/** Settings of the SQLite store. */
export interface SqliteConfig {
  /**
   * Durability of a commit: `full` survives a power cut, `normal` may lose the last events in one. Neither loses
   * events if the process is killed. Default: `full`.
   */
  readonly synchronous?: "full" | "normal" | undefined;
}

/** How nodes that share a store coordinate: PostgreSQL, MySQL, Redis, NATS. */
export interface ClusterConfig {
  /**
   * Duration of the lease to ingest a stream: another node takes over at the latest this long after the holder has
   * died. 1 s to 1 h. Default: `10s`.
   */
  readonly lease?: Duration | undefined;
  /** The name of this node in `/status` of the other nodes. Default: host name and process id. */
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
  /** The certificate's private key, also as PEM text or the path of a PEM file. */
  readonly key: string;
}

/** One stream. */
export interface StreamConfig {
  /** The source of a stream: give `url` or `urls`. */
  readonly upstream?: UpstreamConfig | undefined;
  /** JSON pointer (RFC 6901) to the channel in the JSON data of an upstream event, such as `/symbol`. */
  readonly channel?: string | undefined;
  /** Webhooks that are stored as events of the stream, at `POST /webhooks/<name of the stream>`. */
  readonly webhook?: WebhookConfig | undefined;
  /**
   * A JavaScript or TypeScript module whose function `(event, context) => event` changes the events before they are
   * stored: its path, relative to the working directory, or `{ module, onError, timeout }`; `onError` is `stop`
   * (default), `skip` or `pass`.
   */
  readonly transform?: string | StreamTransformConfig | undefined;
  /**
   * What the events look like: the path of a JavaScript or TypeScript module that exports `defineStream(…)` for the
   * stream, relative to the working directory; in code also the definition itself. Published events that do not match
   * are refused with 422, those of the upstream are stored and reported.
   */
  readonly definition?: string | StreamDefinition | undefined;
  /**
   * Event ids that clients see: `gateway` (`<epoch>.<seq>`), or `upstream`: those of the source, so that clients can
   * switch between the source and the gateway. Default: `gateway`.
   */
  readonly ids?: "gateway" | "upstream" | undefined;
  /** How much of a stream is kept. The oldest events are deleted as soon as one limit is exceeded. */
  readonly retention?: RetentionConfig | undefined;
  /**
   * How long a connection is idle before a comment keeps it alive; at least 10 ms. `{ interval: 15s, event: heartbeat
   * }` sends an event of that type instead. Default: `15s`.
   */
  readonly heartbeat?: HeartbeatConfig | Duration | undefined;
  /**
   * Delay after which clients reconnect when their connection breaks. Default: the client decides; browsers wait 3 to
   * 5 s.
   */
  readonly retry?: Duration | undefined;
  /** Only for a pattern such as `chat-*`: how its streams are made and forgotten. Default: `{}`. */
  readonly onDemand?: OnDemandConfig | undefined;
  /**
   * How long an event may wait for others to be sent in one write: trades latency for CPU time; at most `10s`. With
   * `0ms`, only events that arrive while the process is busy are sent together. Default: `0ms`.
   */
  readonly coalesce?: Duration | undefined;
}

/** The source of a stream: give `url` or `urls`. */
export interface UpstreamConfig {
  /**
   * The source's URL, whose scheme determines the kind of source: `http`, `ws`, `redis`, `mqtt`, `amqp`, each also
   * with TLS (`https`, `wss`, `rediss`, `mqtts`, `amqps`). Credentials in it are never shown. A stream without an
   * upstream only gets published events.
   */
  readonly url?: string | undefined;
  /**
   * Several addresses of one source, instead of `url`, used according to `balance`: URLs, or `{ url, name }` with a
   * name for logs (default `target-<n>`).
   */
  readonly urls?: readonly (UpstreamTargetConfig | string)[] | undefined;
  /** Format of an http or https response: `sse`, or `ndjson` for lines of JSON. Default: `sse`. */
  readonly format?: "sse" | "ndjson" | undefined;
  /** Requests JSON again and again, and stores what is new. */
  readonly poll?: PollConfig | undefined;
  /** Settings of a source with a ws or wss URL. */
  readonly websocket?: WebSocketConfig | undefined;
  /** Settings of a source with a redis or rediss URL. */
  readonly redis?: RedisPubSubConfig | undefined;
  /** Settings of a source with an mqtt or mqtts URL; the broker needs MQTT 5. */
  readonly mqtt?: MqttConfig | undefined;
  /** Settings of a source with an amqp or amqps URL (AMQP 0-9-1). */
  readonly amqp?: AmqpConfig | undefined;
  /**
   * JSON pointer (RFC 6901) to the id in a message, such as `/seq`, by which repeated events are recognized. This and
   * the next three options are for all sources but `sse`.
   */
  readonly id?: string | undefined;
  /** JSON pointer to the event's type. Default: the type is `message`. */
  readonly event?: string | undefined;
  /** JSON pointer to the event's channel in a message. */
  readonly channel?: string | undefined;
  /** JSON pointer to the event's data. Default: the whole message. */
  readonly data?: string | undefined;
  /** What happens to a message that is not text: it is dropped, or its data is base64. Default: `refuse`. */
  readonly binary?: "refuse" | "base64" | undefined;
  /** `failover`: the first healthy target. `round-robin`: the next one at each attempt. Default: `failover`. */
  readonly balance?: "failover" | "round-robin" | undefined;
  /** How long a failed target is skipped while another one is available. Default: `30s`. */
  readonly coolDown?: Duration | undefined;
  /**
   * Any HTTP method that an event stream can answer, such as `GET`, `POST` or `REPORT`. Default: `POST` if there is a
   * `body`, otherwise `GET`.
   */
  readonly method?: string | undefined;
  /** The request's body. */
  readonly body?: string | undefined;
  /**
   * Request headers. In code also a function that is called for every attempt, for tokens that expire. Default: `{}`.
   */
  readonly headers?: UpstreamHeaders | undefined;
  /**
   * How the last event id is sent: in the `Last-Event-ID` header, or with `{ query: <name> }` in that query parameter.
   * `{ query: last-id, initial: "$" }` sends the value of `initial` while no id is stored: for example `"$"` for new
   * events only, or `"0"` for all events that the source holds. A WebSocket can also send `{ message: <text with {id}>
   * }`. `none`: the source cannot resume, so a broken connection leaves a gap. Default: `header` for `sse`, otherwise
   * `none`.
   */
  readonly resume?: "header" | "none" | ResumeQueryConfig | ResumeMessageConfig | undefined;
  /**
   * `always` stays connected, so that the log has no gaps. `on-demand` connects with the first subscriber and closes
   * `linger` after the last. Default: `always`.
   */
  readonly connect?: "always" | "on-demand" | undefined;
  /** How long an on-demand connection stays open after its last subscriber. Default: `30s`. */
  readonly linger?: Duration | undefined;
  /** How long each phase of an upstream connection may take. */
  readonly timeouts?: UpstreamTimeoutsConfig | undefined;
  /** The delay between attempts: random, up to a ceiling that doubles from `min` to `max`. */
  readonly backoff?: UpstreamBackoffConfig | undefined;
  /** Maximum number of redirects in one attempt, at most 20. Default: `5`. */
  readonly redirects?: Count | undefined;
  /**
   * Maximum memory for one event, or for one polled response; beyond it the gateway closes the connection and
   * reconnects. An id or a type has at most 2 KiB. Default: `16MiB`.
   */
  readonly maxEventBytes?: Size | undefined;
  /** TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
  readonly tls?: UpstreamTlsConfig | undefined;
  /** URL of an HTTP proxy. Proxy environment variables are ignored. */
  readonly proxy?: string | undefined;
}

/** One address of a source. */
export interface UpstreamTargetConfig {
  /** URL, as in `upstream.url`. Credentials in it are never shown. */
  readonly url: string;
  /** Name in logs and status. Default: `target-<n>`. */
  readonly name?: string | undefined;
}

/** Requests JSON again and again, and stores what is new. */
export interface PollConfig {
  /**
   * Time between two requests. `Cache-Control: max-age` of the response extends it, up to 5 minutes. Default: `10s`.
   */
  readonly every?: Duration | undefined;
  /** How much longer or shorter this time randomly is. Default: `10%`. */
  readonly jitter?: Percentage | undefined;
  /**
   * What becomes an event. `items`: each new item of a list. `snapshot`: the document if it has changed, with the type
   * `snapshot`. `merge-patch` (RFC 7396) and `json-patch` (RFC 6902): its changes, with this type, and sometimes a
   * `snapshot`. Default: `items`.
   */
  readonly emit?: "items" | "snapshot" | "merge-patch" | "json-patch" | undefined;
  /** JSON pointer to the list of items, at most 10,000. Default: the whole response. */
  readonly items?: string | undefined;
  /** Whether the API lists the newest item first. Default: `false`. */
  readonly reverse?: boolean | undefined;
  /** The position that an API returns and takes. */
  readonly cursor?: PollCursorConfig | undefined;
  /**
   * Number of changes after which the whole document is sent again. It is also sent after a restart, and if retention
   * has deleted the last one. Default: `100`.
   */
  readonly snapshotEvery?: Count | undefined;
}

/** The position that an API returns and takes. */
export interface PollCursorConfig {
  /** JSON pointer to the position in a response. */
  readonly from: string;
  /** Query parameter of the next request that has this position as its value. */
  readonly query: string;
  /**
   * Maximum number of pages in a row without waiting. The next page is requested at once if a page has new items and
   * another position. Default: `100`.
   */
  readonly pages?: Count | undefined;
}

/** Settings of a source with a ws or wss URL. */
export interface WebSocketConfig {
  /** Messages that are sent when the connection is open, such as subscriptions. Default: `[]`. */
  readonly send?: readonly string[] | undefined;
  /** Subprotocols to offer (RFC 6455). */
  readonly subprotocols?: readonly string[] | undefined;
  /** Time between two pings. A pong counts as activity for `timeouts.idle`. Default: `30s`. */
  readonly ping?: Duration | undefined;
}

/** Settings of a source with a redis or rediss URL. */
export interface RedisPubSubConfig {
  /** Channels to subscribe to (`SUBSCRIBE`). */
  readonly subscribe?: readonly string[] | undefined;
  /**
   * Patterns to subscribe to (`PSUBSCRIBE`). What the asterisk of a pattern such as `events:*` stands for becomes the
   * channel of an event.
   */
  readonly psubscribe?: readonly string[] | undefined;
  /**
   * Maximum memory of messages that wait to be stored. Further ones are lost, and a gap is announced. Default:
   * `16MiB`.
   */
  readonly backlog?: Size | undefined;
}

/** Settings of a source with an mqtt or mqtts URL; the broker needs MQTT 5. */
export interface MqttConfig {
  /** Topic filters, such as `sensors/+/temp`. The topic becomes the channel of an event. */
  readonly topics: readonly string[];
  /** Maximum quality of service: `1` at least once, `0` at most once. Default: `1`. */
  readonly qos?: 0 | 1 | undefined;
  /** Name of the session, which must be unique on the broker. Default: `spillway-<stream>`. */
  readonly clientId?: string | undefined;
  /** How long the broker keeps messages for a gateway that is away. Default: `24h`. */
  readonly session?: Duration | undefined;
}

/** Settings of a source with an amqp or amqps URL (AMQP 0-9-1). */
export interface AmqpConfig {
  /** Queue to consume, which must exist. */
  readonly queue: string;
  /** Maximum number of messages that are not acknowledged yet. Default: `100`. */
  readonly prefetch?: Count | undefined;
}

/** Sends the last event id in the query. */
export interface ResumeQueryConfig {
  /** Query parameter that has the last event id as its value. */
  readonly query: string;
  /** Value while no id is stored. Default: no parameter. */
  readonly initial?: string | number | undefined;
}

/** Sends the last event id in a message of a WebSocket. */
export interface ResumeMessageConfig {
  /** Message that has the last event id in the place of `{id}`, escaped as in a JSON string. */
  readonly message: string;
  /** Value while no id is stored. Default: the message is not sent. */
  readonly initial?: string | number | undefined;
}

/** How long each phase of an upstream connection may take. */
export interface UpstreamTimeoutsConfig {
  /** Until the connection is established, TLS included. Default: `10s`. */
  readonly connect?: Duration | undefined;
  /** From the request until the response's headers. Default: `30s`. */
  readonly headers?: Duration | undefined;
  /** How long an open stream may send nothing, not even a comment. Default: `90s`. */
  readonly idle?: Duration | undefined;
}

/** The delay between attempts: random, up to a ceiling that doubles from `min` to `max`. */
export interface UpstreamBackoffConfig {
  /**
   * The delay before an attempt is random, up to a ceiling that starts here and doubles up to `max`. Default: `500ms`.
   */
  readonly min?: Duration | undefined;
  /** The highest ceiling of the delay. Default: `30s`. */
  readonly max?: Duration | undefined;
  /** A stream that was open for this long resets the ceiling to `min`. Default: `10s`. */
  readonly healthy?: Duration | undefined;
}

/** TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
export interface UpstreamTlsConfig {
  /** Certificate authorities to trust instead of Node's: PEM text or the path of a PEM file, as in the next two. */
  readonly ca?: string | undefined;
  /** Client certificate. */
  readonly cert?: string | undefined;
  /** The client certificate's private key. */
  readonly key?: string | undefined;
  /** Server name to request (SNI) and to verify. Default: the URL's host. */
  readonly servername?: string | undefined;
  /** `false` accepts any certificate, for tests only. Default: `true`. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** Webhooks that are stored as events of the stream, at `POST /webhooks/<name of the stream>`. */
export interface WebhookConfig {
  /**
   * How the sender signs: `standard` (Standard Webhooks, Svix), `github`, `stripe`, `slack`, `shopify`, `hmac` (any
   * HMAC in one header) or `none`.
   */
  readonly scheme: "standard" | "github" | "stripe" | "slack" | "shopify" | "hmac" | "none";
  /** The secret that the sender signs with. A list accepts any of up to 4 secrets, to replace one. */
  readonly secret?: string | readonly string[] | undefined;
  /** How far a signed time may be from the current time, 1 s to 12 h; beyond it 401. Default: `5m`. */
  readonly tolerance?: Duration | undefined;
  /**
   * Where the event's type is: `header:<name>`, a JSON pointer into the body such as `/type`, or a list of these, of
   * which the first that has a text counts. Default: that of the scheme; `message` if there is none.
   */
  readonly event?: string | readonly string[] | undefined;
  /** Where the event's channel is, as for `event`. Default: none. */
  readonly channel?: string | readonly string[] | undefined;
  /**
   * Where the id of the delivery is, as for `event`. Of deliveries with the same id, one is stored. Default: that of
   * the scheme; without an id, the signed time and the SHA-256 of the body identify a delivery.
   */
  readonly id?: string | readonly string[] | undefined;
  /** JSON pointer to the event's data, or a list. Default: the whole body. */
  readonly data?: string | readonly string[] | undefined;
  /** With `hmac`: the header of the signature. */
  readonly header?: string | undefined;
  /** With `hmac`: the digest, `sha1`, `sha256` or `sha512`. Default: `sha256`. */
  readonly algorithm?: "sha1" | "sha256" | "sha512" | undefined;
  /** With `hmac`: `hex` or `base64`. Default: `hex`. */
  readonly encoding?: "hex" | "base64" | undefined;
  /** With `hmac`: what stands before the signature in its header, such as `sha256=`. Default: nothing. */
  readonly prefix?: string | undefined;
  /**
   * With `hmac`: the header of the signed time, in seconds or milliseconds since 1970. Default: none; replays are then
   * recognised by the body only.
   */
  readonly timestamp?: string | undefined;
  /**
   * With `hmac`: what is signed. `{body}` stands for the body, `{timestamp}` for the time. Default: `{body}`; with
   * `timestamp`, `{timestamp}.{body}`.
   */
  readonly content?: string | undefined;
  /**
   * With `none`: `accepted` allows it on an address that other machines can reach. Everyone who reaches it can then
   * publish to the stream.
   */
  readonly unverified?: "accepted" | undefined;
}

/** A module that changes the events of a stream. */
export interface StreamTransformConfig {
  /** Path of the module, relative to the working directory. */
  readonly module: string;
  /**
   * What happens to an event for which the module fails: `stop` stores nothing and stops the upstream, and publishers
   * get the error; `skip` drops it; `pass` stores it unchanged. Default: `stop`.
   */
  readonly onError?: "skip" | "pass" | "stop" | undefined;
  /**
   * How long the promise of an async transform may be pending; then it counts as failed. At least `10ms`. Default:
   * `5s`.
   */
  readonly timeout?: Duration | undefined;
}

/** How much of a stream is kept. The oldest events are deleted as soon as one limit is exceeded. */
export interface RetentionConfig {
  /**
   * Events older than this are deleted. `none` disables the limit, here and in the next three options. Default: `24h`.
   */
  readonly age?: Duration | undefined;
  /** Maximum number of events. Default: `none`. */
  readonly events?: Count | undefined;
  /** Maximum size: data, types, channels and ids, plus 128 bytes per event. Default: `1GiB`. */
  readonly bytes?: Size | undefined;
  /**
   * Maximum number of idempotency keys. Beyond it the oldest keys of the publisher with the most keys are removed.
   * Default: `100_000`.
   */
  readonly keys?: Count | undefined;
}

/** Heartbeats, which keep an idle connection alive. */
export interface HeartbeatConfig {
  /** How long a connection is idle before a heartbeat; at least `10ms`. Default: `15s`. */
  readonly interval?: Duration | undefined;
  /**
   * Sends an event of this type, with the time in its JSON data, instead of a comment, which is invisible to scripts
   * in browsers.
   */
  readonly event?: string | undefined;
}

/** Only for a pattern such as `chat-*`: how its streams are made and forgotten. Default: `{}`. */
export interface OnDemandConfig {
  /**
   * A stream that has no subscriber, and to which nobody has published for this long, is removed with its events; at
   * least `1s`. Default: `1h`.
   */
  readonly idle?: Duration | undefined;
  /**
   * Maximum number of streams of the pattern. Beyond it, one without events and subscribers is removed; if there is
   * none, a new name gets 503. Default: `10_000`.
   */
  readonly streams?: Count | undefined;
  /**
   * Maximum number of streams that one subject makes, or one address if it is anonymous; beyond it 429. `none`
   * disables the limit. Default: `60/1m`.
   */
  readonly rate?: string | undefined;
}

/** Requests that are forwarded to other servers. */
export interface RouteConfig {
  /** The servers behind a route: give `url` or `urls`. */
  readonly upstream: RouteUpstreamConfig;
  /**
   * `required`: a client needs the right `proxy` for this route. `none`: every request is forwarded, and the target
   * decides. Default: `required`.
   */
  readonly access?: "required" | "none" | undefined;
  /** How the path of a request is changed. */
  readonly path?: RoutePathConfig | undefined;
  /** The `Host` header of the forwarded request: that of the target's URL, or the client's. Default: `target`. */
  readonly host?: "target" | "client" | undefined;
  /** Changes of the header fields of both messages. */
  readonly headers?: RouteHeadersConfig | undefined;
  /**
   * How the target learns the client's address, host and scheme: `X-Forwarded-For`, `-Host` and `-Proto`; `rfc7239`:
   * `Forwarded`; or not at all. What the client itself sends there is removed, unless it is one of `trustProxy`.
   * Default: `x-forwarded`.
   */
  readonly forwarded?: "x-forwarded" | "rfc7239" | "none" | undefined;
  /**
   * The client's `Authorization`, `X-API-Key`, ticket and `access.cookie`: `drop` removes them, `keep` forwards them,
   * `{ set: "Bearer ${KEY}" }` replaces them by this `Authorization`. Default: `drop`; with `access: none`, `keep`.
   */
  readonly credential?: "keep" | "drop" | { readonly set: string } | undefined;
  /**
   * What it means if a client ends its side of the connection (FIN) after its request. `leave`: it has disconnected,
   * and the target's request is aborted at once. `wait`: it waits for the response, for up to a second; an event
   * stream ends at once. Default: `leave`.
   */
  readonly halfClose?: "leave" | "wait" | undefined;
  /** Whether WebSocket connections are forwarded. Default: `false`. */
  readonly websocket?: boolean | undefined;
  /**
   * A JavaScript or TypeScript module whose function `(event, context) => event` changes the events of an event
   * stream: its path, relative to the working directory, or `{ module, onError }`; `onError` is `pass` (default),
   * `skip` or `stop`.
   */
  readonly transform?: string | TransformConfig | undefined;
  /**
   * How long an event stream may be silent before the client gets a comment, which keeps its connection alive; at
   * least `10ms`. Default: never; `15s` with `share`.
   */
  readonly heartbeat?: Duration | undefined;
  /**
   * Clients whose GET requests for an event stream are equal share one request to the target, through a log: each gets
   * the events that it missed while it was disconnected. `true`, or `{ streams, linger, vary, retention }`. Default:
   * every client has a request of its own.
   */
  readonly share?: true | ShareConfig | undefined;
}

/** The servers behind a route: give `url` or `urls`. */
export interface RouteUpstreamConfig {
  /** http or https URL of the only server; its path is put before that of each request. */
  readonly url?: string | undefined;
  /**
   * Several servers, instead of `url`: URLs, or `{ url, name, weight }` with a name for logs (default `target-<n>`)
   * and a share of the requests (default `1`).
   */
  readonly urls?: readonly (RouteTargetConfig | string)[] | undefined;
  /**
   * How a target is chosen. `failover`: the first healthy one. `round-robin`: each in turn. `least-requests`: of two
   * random targets, the one with fewer open requests. `{ hash: <what> }`: the same one for equal values of `subject`,
   * `address`, `header:<name>` or `cookie:<name>`.
   */
  readonly balance?: "failover" | "round-robin" | "least-requests" | { readonly hash: string } | undefined;
  /** Regular requests that check whether each target can be used. */
  readonly health?: RouteHealthConfig | undefined;
  /** Takes a target out after failed requests. */
  readonly eject?: RouteEjectConfig | undefined;
  /**
   * How long a target that is new, or was down or ejected, takes to reach its full share of the requests. Default:
   * `0s`.
   */
  readonly slowStart?: Duration | undefined;
  /** Maximum number of concurrent requests to one target, per process. Default: `1024`. */
  readonly connections?: Count | undefined;
  /** Requests that wait for a target at its limit of connections. */
  readonly queue?: RouteQueueConfig | undefined;
  /** Which requests are sent again, to another target if there is one. */
  readonly retry?: RouteRetryConfig | undefined;
  /** How long each phase of a forwarded request may take. */
  readonly timeouts?: RouteTimeoutsConfig | undefined;
  /** TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file. */
  readonly tls?: UpstreamTlsConfig | undefined;
  /** Whether to use HTTP/2 with a target that offers it over TLS. Default: `false`. */
  readonly http2?: boolean | undefined;
}

/** One server behind a route. */
export interface RouteTargetConfig {
  /** http or https URL of a server; its path is put before that of each request. */
  readonly url: string;
  /** Name in logs, metrics and status. Default: `target-<n>`. */
  readonly name?: string | undefined;
  /**
   * Its share of the requests, compared with the other targets. `0`: only used if no other target can be. Default:
   * `1`.
   */
  readonly weight?: Count | undefined;
}

/** Regular requests that check whether each target can be used. */
export interface RouteHealthConfig {
  /**
   * Path, and query, that is requested at every target, without the path of the target's URL; a status from 200 to 399
   * is good. Without `health`, targets are not checked.
   */
  readonly path: string;
  /** Time between two checks of a target, up to a tenth shorter or longer. Default: `5s`. */
  readonly every?: Duration | undefined;
  /** How long an answer may take. Default: `1s`. */
  readonly timeout?: Duration | undefined;
  /** Good answers in a row after which a target is used again. Default: `2`. */
  readonly up?: Count | undefined;
  /** Bad answers in a row after which a target is no longer used. Default: `3`. */
  readonly down?: Count | undefined;
}

/** Takes a target out after failed requests. */
export interface RouteEjectConfig {
  /**
   * Requests in a row without an answer, with a broken one, or with 502, 503 or 504, after which a target gets no
   * requests for some time, if there are several targets. `none` disables this. Default: `5`.
   */
  readonly errors?: Count | undefined;
  /**
   * Duration of the first ejection. Each further one is longer by this duration, up to ten times as long. Default:
   * `30s`.
   */
  readonly for?: Duration | undefined;
  /** Maximum part of the targets that is ejected at a time. Default: `50%`. */
  readonly most?: Percentage | undefined;
}

/** Requests that wait for a target at its limit of connections. */
export interface RouteQueueConfig {
  /**
   * Maximum number of requests that wait for a target with `connections` requests; further ones get 503. Default:
   * `100`.
   */
  readonly length?: Count | undefined;
  /** How long a request waits before it gets 503. Default: `1s`. */
  readonly for?: Duration | undefined;
}

/** Which requests are sent again, to another target if there is one. */
export interface RouteRetryConfig {
  /** Maximum number of further attempts for one request. Default: `1`. */
  readonly attempts?: Count | undefined;
  /**
   * What is tried again: `refused`, a connection that could not be made; `unsent`, a request of which nothing was
   * sent, or an idempotent one whose connection broke before the answer; `502`, `503`, `504`, these answers to an
   * idempotent request, `504` also an answer that is late. Default: `[refused, unsent]`.
   */
  readonly on?: readonly ("refused" | "unsent" | 502 | 503 | 504)[] | undefined;
  /** Maximum number of retries, as a part of the requests of the last ten seconds. Default: `20%`. */
  readonly budget?: Percentage | undefined;
}

/** How long each phase of a forwarded request may take. */
export interface RouteTimeoutsConfig {
  /** Until the connection is established, TLS included; then the answer is 504. Default: `5s`. */
  readonly connect?: Duration | undefined;
  /** From the end of the request until the response's headers; then the answer is 504. Default: `30s`. */
  readonly headers?: Duration | undefined;
  /** How long a request may go without body data in either direction before its response is cut. Default: `90s`. */
  readonly idle?: Duration | undefined;
}

/** How the path of a request is changed. */
export interface RoutePathConfig {
  /** Start of the path that is removed, such as `/api`; the pattern must begin with it. */
  readonly strip?: string | undefined;
  /** Path that is put before the rest, such as `/v2`. */
  readonly prepend?: string | undefined;
}

/** Changes of the header fields of both messages. */
export interface RouteHeadersConfig {
  /** Changes of the header fields of a message. */
  readonly request?: HeaderRulesConfig | undefined;
  /** Changes of the header fields of a message. */
  readonly response?: HeaderRulesConfig | undefined;
}

/** Changes of the header fields of a message. */
export interface HeaderRulesConfig {
  /** Header fields that are added or replaced, with their values, which are never shown. */
  readonly set?: Readonly<Record<string, string>> | undefined;
  /** Header fields that are removed. */
  readonly remove?: readonly string[] | undefined;
}

/** A module that changes the events of a route. */
export interface TransformConfig {
  /** Path of the module, relative to the working directory. */
  readonly module: string;
  /**
   * What happens to an event for which the module throws: `pass` sends it unchanged, `skip` drops it, `stop` cuts the
   * response. Default: `pass`.
   */
  readonly onError?: "skip" | "pass" | "stop" | undefined;
}

/** How clients share one request to the target. */
export interface ShareConfig {
  /**
   * Maximum number of distinct requests that are shared at a time, per process; a client, or an address without a
   * credential, opens at most half of them. Beyond it 503. Default: `100`.
   */
  readonly streams?: Count | undefined;
  /**
   * How long the connection to the target and the events are kept after the last client; at least `1s`. Default: `1m`.
   */
  readonly linger?: Duration | undefined;
  /**
   * Request headers that are forwarded. Clients share only if all of them are equal; no other header of a client
   * reaches the target.
   */
  readonly vary?: readonly string[] | undefined;
  /** How much of each shared response is kept for clients that resume. */
  readonly retention?: ShareRetentionConfig | undefined;
}

/** How much of each shared response is kept for clients that resume. */
export interface ShareRetentionConfig {
  /** Events older than this are deleted. `none` disables the limit, here and in the next two options. Default: `1h`. */
  readonly age?: Duration | undefined;
  /** Maximum number of events. Default: `10_000`. */
  readonly events?: Count | undefined;
  /** Maximum size: data, types and ids, plus 128 bytes per event. Default: `16MiB`. */
  readonly bytes?: Size | undefined;
}

/** POST requests whose responses are stored, and can be joined again. */
export interface RunConfig {
  /** The servers behind a route: give `url` or `urls`. */
  readonly upstream: RouteUpstreamConfig;
  /**
   * Whose event stream it is: `openai`, `anthropic`, `ai-sdk` or `none`. It decides which event is the last one, and
   * how clients are told of an error: in that API's own words; with `none`, the response is cut. Default: `none`.
   */
  readonly dialect?: "openai" | "anthropic" | "ai-sdk" | "none" | undefined;
  /**
   * Where the key of a request is, `header:<name>` or `body:<JSON pointer>`; the first that is present counts.
   * Requests of one client with the same key and body get the same run; another body gets 422. Default:
   * `["header:idempotency-key"]`.
   */
  readonly key?: readonly string[] | undefined;
  /**
   * What a request gets with the key of a run that has ended: `join`, that run; `restart`, a new one, also for another
   * body. Default: `join`; with `ai-sdk`, whose key is that of a chat, `restart`.
   */
  readonly afterEnd?: "join" | "restart" | undefined;
  /**
   * Whether `GET <path>/<key>/stream` returns the running response of that key, or 204, and `DELETE` stops it.
   * Default: `true` with `ai-sdk`, else `false`.
   */
  readonly rejoin?: boolean | undefined;
  /**
   * What happens when a run has no client left: `continue`; `cancel`, it is stopped; or `{ cancelAfter: 2m }`, it is
   * stopped if none has come back by then. Default: `continue`.
   */
  readonly onDisconnect?: "continue" | "cancel" | { readonly cancelAfter: Duration } | undefined;
  /**
   * Who may join and stop a run: `owner`, whoever has started it (the same key or user, or address if anonymous);
   * `granted`, everyone with the right `proxy` for the route. Default: `owner`.
   */
  readonly share?: "owner" | "granted" | undefined;
  /** How long a run can be read after its end; at least `1s`. Default: `1h`. */
  readonly ttl?: Duration | undefined;
  /** How long a run may take; then it is cut short. At least `1s`. Default: `30m`. */
  readonly total?: Duration | undefined;
  /** What one client's runs may cost. */
  readonly limits?: RunLimitsConfig | undefined;
  /** How the path of a request is changed. */
  readonly path?: RoutePathConfig | undefined;
  /** The `Host` header of the forwarded request: that of the target's URL, or the client's. Default: `target`. */
  readonly host?: "target" | "client" | undefined;
  /** Changes of the header fields of both messages. */
  readonly headers?: RouteHeadersConfig | undefined;
  /**
   * How the target learns the client's address, host and scheme: `X-Forwarded-For`, `-Host` and `-Proto`; `rfc7239`:
   * `Forwarded`; or not at all. What the client itself sends there is removed, unless it is one of `trustProxy`.
   * Default: `x-forwarded`.
   */
  readonly forwarded?: "x-forwarded" | "rfc7239" | "none" | undefined;
  /**
   * The client's `Authorization`, `X-API-Key`, ticket and `access.cookie`: `drop` removes them, `keep` forwards them,
   * `{ set: "Bearer ${KEY}" }` replaces them by this `Authorization`. Default: `drop`; with `access: none`, `keep`.
   */
  readonly credential?: "keep" | "drop" | { readonly set: string } | undefined;
  /**
   * What it means if a client ends its side of the connection (FIN) after its request. `leave`: it has disconnected,
   * and the target's request is aborted at once. `wait`: it waits for the response, for up to a second; an event
   * stream ends at once. Default: `leave`.
   */
  readonly halfClose?: "leave" | "wait" | undefined;
}

/** What one client's runs may cost. */
export interface RunLimitsConfig {
  /** Largest stored response: its blocks, plus 128 bytes for each. Beyond it the run is cut short. Default: `16MiB`. */
  readonly bytes?: Size | undefined;
  /** Largest body of a request; beyond it the answer is 413. Default: `4MiB`. */
  readonly body?: Size | undefined;
  /** Runs that one key or user, or one address if anonymous, has at a time; beyond it 429. Default: `5`. */
  readonly perSubject?: Count | undefined;
}

/** The events of a stream, sent to an endpoint as webhooks. */
export interface DeliveryConfig {
  /** Stream whose events are sent. */
  readonly stream: string;
  /** http or https URL of the endpoint, which gets a `POST` for each event. Never shown in full. */
  readonly url: string;
  /** Channels; with a list, events without a channel are left out. `*` matches any characters. Default: all. */
  readonly channels?: readonly string[] | undefined;
  /** Event types. Default: all. */
  readonly events?: readonly string[] | undefined;
  /** Filter expression that must hold as well. Default: every event. */
  readonly filter?: string | undefined;
  /** How the requests of a delivery are signed. */
  readonly sign?: SigningConfig | undefined;
  /** Header fields of every request, such as `authorization`; their values are never shown. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How long an attempt may take, from connecting to the end of the response. Default: `15s`. */
  readonly timeout?: Duration | undefined;
  /**
   * `channel`: the events of a channel, and those without one, are each sent in order, and wait behind one that fails.
   * `strict`: all events in order. `none`: in any order. Default: `channel`.
   */
  readonly order?: "channel" | "strict" | "none" | undefined;
  /** Maximum number of concurrent requests. Default: `10`. */
  readonly parallel?: Count | undefined;
  /**
   * Where a new delivery starts: with the next event, or with the first one that the stream still has. Default: `now`.
   */
  readonly from?: "now" | "earliest" | undefined;
  /**
   * Delays between the attempts for an event, each up to a tenth longer. When the attempt after the last delay fails,
   * the event is a dead letter. Default: `[5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h]`.
   */
  readonly retry?: readonly Duration[] | undefined;
  /** Whether the endpoint may have a loopback, private or otherwise special address. Default: `false`. */
  readonly allowPrivate?: boolean | undefined;
  /** Stream that gets the dead letters; it has no `upstream` and no `webhook`. Default: they are logged and dropped. */
  readonly dead?: string | undefined;
}

/** How the requests of a delivery are signed. */
export interface SigningConfig {
  /** `standard`: Standard Webhooks, with HMAC-SHA256. Default: `standard`. */
  readonly scheme?: "standard" | undefined;
  /**
   * Secret that the receiver has too: `whsec_` and base64. With a list, a request has a signature for each, so that
   * secrets can be rotated.
   */
  readonly secret: string | readonly string[];
}

/** The dashboard at `/dashboard`. */
export interface DashboardConfig {
  /**
   * Whether users may publish events, end subscriptions and command deliveries, as far as their rights allow. Default:
   * `false`.
   */
  readonly write?: boolean | undefined;
}

/**
 * Access rights; default deny. Without this section, anonymous clients may subscribe and use routes on a loopback
 * address; on any other address the section is required.
 */
export interface AccessConfig {
  /**
   * What clients without a credential may do: a list of rights (`subscribe`, `publish`, `proxy`: requests to routes,
   * `admin`: status, metrics, reload, the dashboard, the subscribers of others, `inspect`: events in the dashboard),
   * or a grant. Default: nothing.
   */
  readonly anonymous?: readonly Right[] | GrantConfig | undefined;
  /**
   * API keys: `{ name, hash, expires }` and a grant. `spillway key new` prints a key and its entry, `spillway key
   * hash` the entry of an existing key. Default: `[]`.
   */
  readonly keys?: readonly KeyConfig[] | undefined;
  /**
   * Which JSON Web Tokens are accepted. A token's grant is its claim `spillway: { can, streams, routes, channels,
   * events, broadcast }`.
   */
  readonly jwt?: JwtConfig | undefined;
  /**
   * Name of a cookie that may hold a token instead of the `Authorization` header. A request with the cookie must come
   * from an allowed origin.
   */
  readonly cookie?: string | undefined;
  /** Tickets, which an `EventSource` uses to authenticate. */
  readonly tickets?: TicketsConfig | undefined;
  /** A service that decides about access: `{ url, timeout: 2s, cache: 5s, stale: 30s }`. In code also a function. */
  readonly authorize?: AuthorizeConfig | AuthorizeFunction | undefined;
  /** Which pages of other origins may use the gateway (CORS). */
  readonly cors?: CorsConfig | undefined;
}

/** The rights of a client, and what they apply to. In names, `*` matches any characters. */
export interface GrantConfig {
  /** Rights: `subscribe`, `publish`, `proxy`, `admin`, `inspect`. Default: `[subscribe]`. */
  readonly can?: readonly Right[] | undefined;
  /** Streams. Default: all. */
  readonly streams?: readonly string[] | undefined;
  /** Routes, by their path patterns: `/api/**` is the name of that route. Default: all. */
  readonly routes?: readonly string[] | undefined;
  /**
   * Channels; with a list, events without a channel are left out. Default: all channels, and events without a channel.
   */
  readonly channels?: readonly string[] | undefined;
  /**
   * With `channels`: whether a subscriber that requests no channel by name also gets events without a channel. It
   * never allows publishing them. Default: `false`.
   */
  readonly broadcast?: boolean | undefined;
  /** Event types. Default: all. */
  readonly events?: readonly string[] | undefined;
  /** A filter expression: subscribers get only the events that match. Default: all events. */
  readonly filter?: string | undefined;
}

/** An API key, with its grant. */
export interface KeyConfig {
  /** The key's name in logs and metrics. */
  readonly name: string;
  /**
   * The hash of the key, which may be any secret: `sha256:<hex>`, `sha256:<salt>:<hex>` (of the salt followed by the
   * secret), or scrypt in the PHC string format. `spillway key hash` prints it.
   */
  readonly hash: string;
  /** When the key expires: an RFC 3339 time. Default: never. */
  readonly expires?: string | undefined;
  /** Rights: `subscribe`, `publish`, `proxy`, `admin`, `inspect`. Default: `[subscribe]`. */
  readonly can?: readonly Right[] | undefined;
  /** Streams. Default: all. */
  readonly streams?: readonly string[] | undefined;
  /** Routes, by their path patterns: `/api/**` is the name of that route. Default: all. */
  readonly routes?: readonly string[] | undefined;
  /**
   * Channels; with a list, events without a channel are left out. Default: all channels, and events without a channel.
   */
  readonly channels?: readonly string[] | undefined;
  /**
   * With `channels`: whether a subscriber that requests no channel by name also gets events without a channel. It
   * never allows publishing them. Default: `false`.
   */
  readonly broadcast?: boolean | undefined;
  /** Event types. Default: all. */
  readonly events?: readonly string[] | undefined;
  /** A filter expression: subscribers get only the events that match. Default: all events. */
  readonly filter?: string | undefined;
}

/**
 * Which JSON Web Tokens are accepted. A token's grant is its claim `spillway: { can, streams, routes, channels,
 * events, broadcast }`.
 */
export interface JwtConfig {
  /**
   * The secret of tokens signed with HS256, HS384 or HS512, at least 32 bytes. Exactly one of `secret`, `publicKey`
   * and `jwks` is required.
   */
  readonly secret?: string | undefined;
  /** The issuer's public key: PEM text or the path of a PEM file. */
  readonly publicKey?: string | undefined;
  /**
   * URL of the issuer's key set. It is cached, fetched again for an unknown key, and used for up to 24 hours while the
   * issuer is unreachable.
   */
  readonly jwks?: string | undefined;
  /** Required value of the claim `iss`. Default: the claim is not checked. */
  readonly issuer?: string | undefined;
  /** Value that the claim `aud` must equal or contain. Default: the claim is not checked. */
  readonly audience?: string | undefined;
  /** Accepted algorithms. Default: `[HS256]` with a secret, otherwise `[RS256, ES256, EdDSA]`. */
  readonly algorithms?: readonly string[] | undefined;
  /** How far the clocks of issuer and gateway may differ. Default: `5s`. */
  readonly clockTolerance?: Duration | undefined;
  /** Rights of every accepted token, in addition to those of its `spillway` claim. Default: `[]`. */
  readonly can?: readonly Right[] | undefined;
  /**
   * Whether subscribers with any accepted token also get events without a channel, in addition to those of the granted
   * channels. A token's `spillway` claim can also allow this. Default: `false`.
   */
  readonly broadcast?: boolean | undefined;
  /**
   * Claims that hold parts of a grant, instead of the `spillway` claim. A token that lacks such a claim gets an empty
   * list for that part.
   */
  readonly claims?: ClaimsConfig | undefined;
}

/**
 * Claims that hold parts of a grant, instead of the `spillway` claim. A token that lacks such a claim gets an empty
 * list for that part.
 */
export interface ClaimsConfig {
  /** Streams from another claim: `claim:<name>`, or `claim:<name> → <text with {}>`. */
  readonly streams?: string | undefined;
  /** Path patterns of routes from another claim. */
  readonly routes?: string | undefined;
  /** Channels from another claim: `claim:tenant → tenant:{}`. */
  readonly channels?: string | undefined;
  /** Event types from another claim. */
  readonly events?: string | undefined;
}

/** Tickets, which an `EventSource` uses to authenticate. */
export interface TicketsConfig {
  /** Maximum lifetime of a ticket, even if its credential is valid for longer. Default: `12h`. */
  readonly lifetime?: Duration | undefined;
  /** Time within which a ticket must be used for the first time. Default: `30s`. */
  readonly firstUse?: Duration | undefined;
  /** Whether clients without a credential can get tickets, which they do not need. Default: `false`. */
  readonly anonymous?: boolean | undefined;
  /**
   * Tickets that one key or user holds, or one address without a credential. Beyond it the least recently used ticket
   * is removed; if none was used, the answer is 429. At most 100,000. Default: `10_000`.
   */
  readonly perSubject?: Count | undefined;
  /** Unused tickets of one address; beyond it 429. At most 100,000. Default: `10_000`. */
  readonly perAddress?: Count | undefined;
  /** Memory for the tickets of one key or user, about 1 kB each; beyond it as with `perSubject`. Default: `8MiB`. */
  readonly bytes?: Size | undefined;
}

/** A service that decides about access. */
export interface AuthorizeConfig {
  /**
   * URL of the service, called with POST. A 200 with rights as JSON grants them, 401 and 403 refuse; for anything
   * else, the client gets 503.
   */
  readonly url: string;
  /** How long the service may take to answer. Default: `2s`. */
  readonly timeout?: Duration | undefined;
  /** How long an answer is cached for the same credential and stream; `0s` disables the cache. Default: `5s`. */
  readonly cache?: Duration | undefined;
  /**
   * How much longer a cached answer that granted access is used while the service does not answer or is too busy; `0s`
   * disables this. Default: `30s`.
   */
  readonly stale?: Duration | undefined;
}

/** Which pages of other origins may use the gateway (CORS). */
export interface CorsConfig {
  /** Origins whose pages may use the gateway: `https://app.example`, or `"*"` alone. Default: `[]`. */
  readonly origins?: readonly string[] | undefined;
  /** Whether these pages may send cookies. Default: `false`. */
  readonly credentials?: boolean | undefined;
  /** How long a browser may cache the response to a preflight request. Default: `10m`. */
  readonly maxAge?: Duration | undefined;
}

/** Limits on what clients can use. `none` disables the limits that allow it. */
export interface LimitsConfig {
  /**
   * Subscriptions and held long polls, over all workers; beyond it 503. Limits explains each limit. Default: `50_000`.
   */
  readonly connections?: Count | undefined;
  /** Subscriptions and held long polls of one key or user; beyond it 429. Default: `none`. */
  readonly perSubject?: Count | undefined;
  /** Subscriptions and held long polls of one address; beyond it 429. Default: `none`. */
  readonly perAddress?: Count | undefined;
  /**
   * Rate of new subscriptions of one key or user, and of attempts of one address: `100/15m`; beyond it 429. Default:
   * `none`.
   */
  readonly connectRate?: string | undefined;
  /** Rate of requests of one address, counted before they are processed: `1000/1m`; beyond it 429. Default: `none`. */
  readonly requestRate?: string | undefined;
  /**
   * Rate of different unknown credentials, and of webhooks with a wrong signature, from one address; beyond it 429 for
   * a time that doubles, from 1 s to 5 min. Credentials that were valid from the address before are still accepted.
   * Default: `20/1m`.
   */
  readonly failedCredentials?: string | undefined;
  /**
   * Rate of publish requests of one key or user, or of one address if anonymous, and of webhooks to one stream:
   * `100/1s`; beyond it 429. Default: `none`.
   */
  readonly publishRate?: string | undefined;
  /** Names in the filter of one subscription, at most 1000; beyond it 400. Default: `100`. */
  readonly channels?: Count | undefined;
  /**
   * Different filter expressions on one stream in one process; one client can use at most half. Those of grants have
   * as many places of their own. Beyond it 503. Default: `200`.
   */
  readonly filters?: Count | undefined;
  /** Length of a request's path and query; beyond it 414. Default: `8KiB`. */
  readonly url?: Size | undefined;
  /** Total size of a request's headers; beyond it 431. Default: `16KiB`. */
  readonly headers?: Size | undefined;
  /** Concurrent replays; other subscriptions wait. Default: `5_000`. */
  readonly replays?: Count | undefined;
  /** How long a subscription waits for its replay; then the answer is 503. Default: `10s`. */
  readonly replayWait?: Duration | undefined;
  /**
   * Concurrent searches of a log in one process: `last` with a filter, long polls whose filter matches few events, and
   * requests for the rest of a run. Others wait for up to `limits.replayWait`; one address can use at most half.
   * Default: `8`.
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
   * How long a subscription or a long poll may last: `50s`. It then ends with `spillway.bye`, at most a tenth earlier,
   * and the client resumes. Requests that a route forwards for one client are not limited. For platforms that cut off
   * long responses. Default: `none`.
   */
  readonly maxDuration?: Duration | undefined;
  /**
   * Largest body of a publish request or a webhook, at most half of `limits.bodies`; beyond it the answer is 413.
   * Default: `1MiB`.
   */
  readonly body?: Size | undefined;
  /**
   * Total size of the publish request bodies that one process reads or stores at a time; one address can use at most
   * half. Beyond it the answer is 503. Default: `64MiB`.
   */
  readonly bodies?: Size | undefined;
  /** Events of one publish request; beyond it the answer is 413. Default: `10_000`. */
  readonly events?: Count | undefined;
  /**
   * Total size of all stored runs; beyond it the oldest are removed. One key or user, or one address if anonymous, can
   * use at most half; beyond that 429. Default: `1GiB`.
   */
  readonly runs?: Size | undefined;
  /** How long a request may take to arrive. */
  readonly timeouts?: RequestTimeoutsConfig | undefined;
  /** Resident memory of a process above which it refuses new subscriptions (503). Default: `none`. */
  readonly memory?: Size | undefined;
  /** Delay of a process's event loop above which it refuses new subscriptions (503). Default: `2s`. */
  readonly lag?: Duration | undefined;
}

/** How long a request may take to arrive. */
export interface RequestTimeoutsConfig {
  /** How long a request's headers may take to arrive; then the connection is closed. Default: `10s`. */
  readonly headers?: Duration | undefined;
  /** How long a request's body may take to arrive; then the answer is 408. Default: `30s`. */
  readonly body?: Duration | undefined;
}

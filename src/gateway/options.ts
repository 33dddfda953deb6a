/** The gateway's options after resolution: complete, validated and frozen. Times are in ms, sizes in bytes. */
import type { AccessOptions } from "../access/options.ts";
import type { Deliveries } from "../deliveries/options.ts";
import type { Heartbeat } from "../hub/heartbeat.ts";
import type { Limits, Rate } from "../limits/options.ts";
import type { IdMode } from "../hub/format.ts";
import type { Retention } from "../log/log.ts";
import type { Routes } from "../proxy/options.ts";
import { isLoopback } from "../util/ip-address.ts";
import type { Runs } from "../runs/options.ts";
import type { DefinitionOption } from "./stream-definition.ts";
import type { StreamTransformOptions } from "./stream-transform.ts";
import type { UpstreamOptions } from "../upstream/upstream.ts";
import type { WebhookOptions } from "../webhooks/options.ts";

export interface StreamUpstreamOptions extends UpstreamOptions {
  /**
   * `always` keeps the connection open; `on-demand` opens it for the first subscriber and closes it `linger` after the
   * last.
   */
  readonly connect: "always" | "on-demand";
  readonly linger: number;
}

export interface StreamOptions {
  /** Absent for a stream without a source, which gets its events by publishing only. */
  readonly upstream: StreamUpstreamOptions | undefined;
  /** The JSON pointer (RFC 6901) to the channel in an upstream event's data, such as `/symbol`. */
  readonly channel: string | undefined;
  /** Changes its events before they are stored. */
  readonly transform: StreamTransformOptions | undefined;
  /** What its events look like; absent if it accepts any. */
  readonly definition: DefinitionOption | undefined;
  /** Whether the stream has an upstream. Workers get this flag instead of `upstream`, which contains secrets. */
  readonly hasUpstream: boolean;
  /** The webhooks that are stored in it; absent if it accepts none. */
  readonly webhook: WebhookOptions | undefined;
  /** Whose event ids clients get and resume with. */
  readonly ids: "gateway" | "upstream";
  readonly retention: Retention;
  readonly heartbeat: Heartbeat;
  /** The reconnect delay that clients are given; absent to use the client's own. */
  readonly retry: number | undefined;
  /** How long an event may be held back to be written together with later ones. */
  readonly coalesce: number;
}

/** How the streams of a pattern are made and forgotten. */
export interface OnDemandOptions {
  /** A stream without subscribers that nobody has published to for this long is removed with its events, in ms. */
  readonly idle: number;
  /** How many streams exist at once at most; beyond it 503. */
  readonly streams: number;
  /** How many streams one subject, or one address if anonymous, may make; beyond it 429. */
  readonly rate: Rate | undefined;
}

/** The streams whose names match a pattern. */
export interface PatternOptions {
  /** The options of each of them. */
  readonly stream: StreamOptions;
  readonly onDemand: OnDemandOptions;
}

/** The kind of event ids that clients of a stream get. */
export function idModeOf({ ids, hasUpstream }: StreamOptions): IdMode {
  return ids === "upstream" && !hasUpstream ? "publisher" : ids;
}

/** PEM texts or paths of PEM files. Files are read again when they change. */
export interface TlsOptions {
  /** The certificate, followed by the intermediate certificates. */
  readonly cert: string;
  readonly key: string;
}

/** The dashboard at `/dashboard`. */
export interface DashboardOptions {
  /** Whether its users may publish events, end subscriptions, and command deliveries. */
  readonly write: boolean;
}

/** A dashboard that is served. With `isDefault`, only the gateway's own server has it. */
export interface ServedDashboard extends DashboardOptions {
  readonly isDefault: boolean;
}

export interface ClusterOptions {
  /** How long a node's right to ingest a stream lasts after the node has failed, in ms. */
  readonly lease: number;
  /** The name of this node among the others. */
  readonly node: string;
}

export interface GatewayOptions {
  /** Where `listen()` and `spillway serve` listen. */
  readonly listen: { readonly host: string; readonly port: number };
  /**
   * How HTTP/1.1 subscriptions are served: `raw` writes them directly to their sockets, `node` through Node's HTTP
   * server.
   */
  readonly listener: "raw" | "node";
  /** The URL of the store, such as `memory:`, `sqlite:<path>` or `postgres://…`. */
  readonly store: string;
  /** How nodes that share a store coordinate. */
  readonly cluster: ClusterOptions;
  /** SQLite's `synchronous` setting, which decides what a commit waits for. */
  readonly synchronous: "full" | "normal";
  /** The number of processes that serve clients. With 1, a single process does everything. */
  readonly workers: number;
  /** Serves HTTPS with HTTP/2 and HTTP/1.1 on one port; absent for plain HTTP/1.1. */
  readonly tls: TlsOptions | undefined;
  /** The addresses and networks (CIDR) of proxies whose `X-Forwarded-*` headers are trusted. */
  readonly trustProxy: readonly string[];
  /**
   * The host names that the gateway's own server accepts in addition to loopback names. If absent, any name is
   * accepted, except on a loopback address with open access.
   */
  readonly hosts: readonly string[] | undefined;
  /** The longest time over which a stopping gateway disconnects its subscribers. */
  readonly drain: number;
  readonly streams: Readonly<Record<string, StreamOptions>>;
  /** Streams that are made at their first use, by the patterns of their names. */
  readonly patterns: Readonly<Record<string, PatternOptions>>;
  /** What is forwarded, by path patterns. */
  readonly routes: Routes;
  /** What is forwarded and stored, by path patterns. */
  readonly runs: Runs;
  /** What is sent out as webhooks. */
  readonly deliveries: Deliveries;
  /** The real path of the directory whose files are served at the root; absent to serve no files. */
  readonly static: string | undefined;
  /** The stream served at `/api/sse`, `/events` and `/publish`: the configured one, or the only one. */
  readonly default: string | undefined;
  /**
   * The dashboard; `false` for none. If absent, the gateway's own server has it, read-only, if only this machine can reach
   * the server.
   */
  readonly dashboard: DashboardOptions | false | undefined;
  readonly access: AccessOptions;
  readonly limits: Limits;
}

/**
 * Without a setting, only programs of this machine may reach the dashboard: `hosts` and `trustProxy` tell that the server
 * has a public name, or a proxy in front of it.
 */
export function dashboardOf({ dashboard, listen, hosts, trustProxy }: GatewayOptions): ServedDashboard | undefined {
  if (dashboard === false) return undefined;
  if (dashboard) return { write: dashboard.write, isDefault: false };
  const isLocal = isLoopback(listen.host) && hosts === undefined && trustProxy.length === 0;
  return isLocal ? { write: false, isDefault: true } : undefined;
}

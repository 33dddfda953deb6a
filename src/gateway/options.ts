/** The gateway's options as the config resolver leaves them: complete, checked, frozen. Times in ms, sizes in bytes. */
import type { AccessOptions } from "../access/options.ts";
import type { Heartbeat } from "../hub/heartbeat.ts";
import type { Limits } from "../limits/options.ts";
import type { IdMode } from "../hub/format.ts";
import type { Retention } from "../log/log.ts";
import type { UpstreamOptions } from "../upstream/upstream.ts";

export interface StreamUpstreamOptions extends UpstreamOptions {
  /** `always` holds the connection; `on-demand` opens with the first subscriber and closes `linger` after the last. */
  readonly connect: "always" | "on-demand";
  readonly linger: number;
}

export interface StreamOptions {
  /** Absent for a stream that is only published to. */
  readonly upstream: StreamUpstreamOptions | undefined;
  /** Where an upstream event's channel is found in its JSON data: an RFC 6901 pointer such as `/symbol`. */
  readonly channel: string | undefined;
  /** Whether there is an upstream: the processes that only serve are not told of the upstream itself. */
  readonly hasUpstream: boolean;
  /** Whose ids go out and come back. */
  readonly ids: "gateway" | "upstream";
  readonly retention: Retention;
  readonly heartbeat: Heartbeat;
  /** After how long clients are asked to come back when their connection breaks; absent to leave that to them. */
  readonly retry: number | undefined;
  /** How long an event may wait for others to leave in one write with it. */
  readonly coalesce: number;
}

/** Whose ids clients get. */
export function idModeOf({ ids, hasUpstream }: StreamOptions): IdMode {
  return ids === "upstream" && !hasUpstream ? "publisher" : ids;
}

/** PEM text, or the path of a PEM file; files are read again when they change. */
export interface TlsOptions {
  /** The certificate, followed by those between it and the authority. */
  readonly cert: string;
  readonly key: string;
}

export interface ClusterOptions {
  /** How long the right to ingest a stream outlasts its node, in ms. */
  readonly lease: number;
  /** What other nodes know this one by. */
  readonly node: string;
}

export interface GatewayOptions {
  /** Where `listen()` and `spillway serve` listen. */
  readonly listen: { readonly host: string; readonly port: number };
  /** What serves subscriptions over HTTP/1.1 there: `raw` writes them straight to their sockets, `node` through Node's HTTP server. */
  readonly listener: "raw" | "node";
  /** URL of the store: `memory:`, `sqlite:<path>`, `postgres://…` and the like. */
  readonly store: string;
  /** How nodes that share a store agree. */
  readonly cluster: ClusterOptions;
  /** SQLite's `synchronous`: what a commit waits for. */
  readonly synchronous: "full" | "normal";
  /** Processes that serve clients; with 1 the one process does everything. */
  readonly workers: number;
  /** Serves HTTPS with HTTP/2 and HTTP/1.1 on one port; absent for plain HTTP/1.1. */
  readonly tls: TlsOptions | undefined;
  /** Addresses and networks (CIDR) whose `X-Forwarded-*` headers are believed. */
  readonly trustProxy: readonly string[];
  /** Host names that the own server answers to, beside those of loopback; absent for what the access says. */
  readonly hosts: readonly string[] | undefined;
  /** Over how long a stopping gateway lets its subscribers go, at most. */
  readonly drain: number;
  readonly streams: Readonly<Record<string, StreamOptions>>;
  /** The real path of the folder whose files are served at the root; absent for none. */
  readonly static: string | undefined;
  /** The stream behind `/api/sse`: the one named, or the only one. */
  readonly default: string | undefined;
  readonly access: AccessOptions;
  readonly limits: Limits;
}

/** The gateway's options as the config resolver leaves them: complete, checked, frozen. Times in ms, sizes in bytes. */
import type { Right } from "../http/served.ts";
import type { Retention } from "../log/log.ts";
import type { UpstreamOptions } from "../upstream/upstream.ts";

export type { Right };

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
  /** Whose ids go out and come back. */
  readonly ids: "gateway" | "upstream";
  readonly retention: Retention;
  /** Silence after which a comment is sent. */
  readonly heartbeat: number;
  /** How long an event may wait for others to leave in one write with it. */
  readonly coalesce: number;
}

export interface Limits {
  /** Unsent bytes of one subscriber; beyond it the subscriber is served from the log at its own pace. */
  readonly outbox: number;
  /** A subscriber whose socket takes nothing for this long is cut. */
  readonly stall: number;
  /** Largest body of a publish request. */
  readonly body: number;
}

export interface GatewayOptions {
  /** Where `listen()` and `spillway serve` listen. */
  readonly listen: { readonly host: string; readonly port: number };
  /** URL of the store: `memory:` or `sqlite:<path>`. */
  readonly store: string;
  /** SQLite's `synchronous`: what a commit waits for. */
  readonly synchronous: "full" | "normal";
  /** Processes that serve clients; with 1 the one process does everything. */
  readonly workers: number;
  /** How long a stopping gateway waits for its subscribers to take their goodbye. */
  readonly drain: number;
  readonly streams: Readonly<Record<string, StreamOptions>>;
  /** The stream behind `/api/sse`: the one named, or the only one. */
  readonly default: string | undefined;
  readonly access: { readonly anonymous: readonly Right[] };
  readonly limits: Limits;
}

import type { ClientError } from "./error.ts";

/** What the connection of a subscription does. Every change makes a new object. */
export type ConnectionState =
  /** A request is on its way; `attempt` counts from 1 since the connection was last stable. */
  | { readonly status: "connecting"; readonly attempt: number }
  | {
      readonly status: "open";
      /** Whether all events have been handled that the log held when the connection was opened. */
      readonly caughtUp: boolean;
      /** The last known state of the stream's upstream; `undefined` if it has none, or the server is not a Spillway. */
      readonly upstream?: UpstreamState | undefined;
      /** The id of this connection on a Spillway. */
      readonly client?: string | undefined;
    }
  /** The connection failed or ended with `error`. The next attempt is in `delay` ms. */
  | { readonly status: "waiting"; readonly error: ClientError; readonly delay: number }
  /** The page is hidden or in the back/forward cache. It connects again when it is shown. */
  | { readonly status: "paused" }
  /** Final. `error` is the reason; `undefined` after `close()`, its signal, or a 204 of the server. */
  | { readonly status: "closed"; readonly error: ClientError | undefined };

/** `waiting`: the gateway tries to reconnect to its source, so data may be stale. */
export type UpstreamState = "open" | "waiting" | "idle" | "stopped";

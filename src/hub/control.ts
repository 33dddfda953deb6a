/** In-band control events. They have a named type, so that an `EventSource` does not pass them to `onmessage`. */
import type { Gap, Reset } from "../events/control.ts";

/** Control events by name, with their JSON data. */
export interface ControlEvents {
  /** The first event of every subscription. */
  readonly "connected": {
    readonly client: string;
    readonly stream: string;
    /** The position where delivery starts: the first event is the one after it. */
    readonly cursor: string;
    /** The log's head at the start. Events up to it are replayed. */
    readonly head: string;
    /** The reconnect delay in ms, if the stream has one. */
    readonly retry: number | undefined;
    /** The longest silence of the connection, in ms. */
    readonly heartbeat: number;
    /** The state of the upstream, if the stream has one. */
    readonly upstream: UpstreamState | undefined;
    /** When the client's credential expires, if it does, as an RFC 3339 time. */
    readonly expiresAt: string | undefined;
  };
  readonly "spillway.gap": Gap;
  readonly "spillway.reset": Reset;
  /** The state of the upstream connection has changed. */
  readonly "spillway.upstream": { readonly state: UpstreamState };
  /** The server ends the stream; `retry` is the reconnect delay in ms. */
  readonly "spillway.bye": { readonly reason: ByeReason; readonly retry: number };
}

/** The states of an upstream that clients see. */
type UpstreamState = "open" | "waiting" | "idle" | "stopped";

/** Why the server ends the subscription of one client. */
export type EndReason =
  /** The server stops. */
  | "drain"
  /** The response has lasted as long as a response may. */
  | "duration"
  /** The client's credential has expired. */
  | "token-expired"
  /** The client's grant was revoked. */
  | "revoked"
  /** The client's ticket is used on another connection. */
  | "replaced";

/** Why the server ends subscriptions: a reason for one client, or a reload that removed or replaced the stream. */
export type ByeReason = "removed" | EndReason;

export type ControlName = keyof ControlEvents;

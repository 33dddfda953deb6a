/** In-band control events. They have a named type, so that an `EventSource` does not pass them to `onmessage`. */

/** The subscriber has missed events between the last one that it received and the next one. */
export interface Gap {
  /**
   * - `trimmed`: retention removed them
   * - `unknown`: the requested id is unknown
   * - `upstream`: the source could not resume after a lost connection
   */
  readonly reason: "trimmed" | "unknown" | "upstream";
  /** The position as requested; `null` if none was. */
  readonly requested: string | null;
  /** The cursor of the first event in the log; `null` if the gap is in the stream itself. */
  readonly earliest: string | null;
  /** How many events of the stream are missing, regardless of the filter; `null` if unknown. */
  readonly lost: number | null;
}

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
  /**
   * The requested id belongs to another log, or lies beyond this one's head: what the client has received is no longer
   * valid.
   */
  readonly "spillway.reset": { readonly epoch: string; readonly requested: string; readonly earliest: string };
  /** The state of the upstream connection has changed. */
  readonly "spillway.upstream": { readonly state: UpstreamState };
  /** The server ends the stream; `retry` is the reconnect delay in ms. */
  readonly "spillway.bye": { readonly reason: ByeReason; readonly retry: number };
}

/** The states of an upstream that clients see. */
type UpstreamState = "open" | "waiting" | "idle" | "stopped";

/** Why the server ends the subscription of one client. */
export type EndReason =
  /** The client's credential has expired. */
  | "token-expired"
  /** The client's grant was revoked. */
  | "revoked"
  /** The client's ticket is used on another connection. */
  | "replaced";

/**
 * Why the server ends a subscription: it stops, a reload removed or replaced the stream, or a reason that concerns this
 * client only.
 */
export type ByeReason = "drain" | "removed" | EndReason;

export type ControlName = keyof ControlEvents;

/** The in-band messages that are not events of the stream. Named, so that an `EventSource`'s `onmessage` never fires. */

/** Events are gone for this subscriber: the next one it sees is not the next one there was. */
export interface Gap {
  /**
   * - `trimmed`: retention removed them
   * - `unknown`: the id that was presented means nothing here
   * - `upstream`: the source could not resume after a break
   */
  readonly reason: "trimmed" | "unknown" | "upstream";
  /** The position asked for, as it was asked; `null` where none was. */
  readonly requested: string | null;
  /** Cursor of the first event still held; `null` when the hole is in the stream itself. */
  readonly earliest: string | null;
  /** How many events of the stream are missing, whatever the filter; `null` if that cannot be known. */
  readonly lost: number | null;
}

/** Control events by name, with their JSON data. */
export interface ControlEvents {
  /** The first event of every subscription. */
  readonly "connected": {
    readonly client: string;
    readonly stream: string;
    /** Where delivery starts: the first event is the one behind it. */
    readonly cursor: string;
    /** The log's head at that moment; what comes up to it is replay. */
    readonly head: string;
    /** The reconnect delay in ms, if the stream has one. */
    readonly retry: number | undefined;
  };
  readonly "spillway.gap": Gap;
  /** The presented id belongs to another log, or to a later state of this one: what the client knows is void. */
  readonly "spillway.reset": { readonly epoch: string; readonly requested: string; readonly earliest: string };
  /** The upstream connection changed. */
  readonly "spillway.upstream": { readonly state: "open" | "waiting" | "idle" | "stopped" };
  /** The server ends the stream; `retry` is the reconnect delay in ms. */
  readonly "spillway.bye": { readonly reason: ByeReason; readonly retry: number };
}

/** Why the server ends the subscription of one client. */
export type EndReason =
  /** Its credential has expired. */
  | "token-expired"
  /** What it was granted was taken back. */
  | "revoked"
  /** Its ticket is used on another connection. */
  | "replaced";

/** Why the server ends a stream: it stops, the stream was removed from the configuration, or a reason of the client's own. */
export type ByeReason = "drain" | "removed" | EndReason;

export type ControlName = keyof ControlEvents;

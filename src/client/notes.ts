import type { Message } from "./message.ts";
import type { ConnectionState } from "./state.ts";

/** A place in what all tabs receive. */
export interface Place {
  /** Random. Places can be compared if they are of one series, which begins where a leader cannot resume. */
  readonly series: number;
  /** The number of events before it. */
  readonly n: number;
  /** The id to resume with. */
  readonly id: string;
}

/** A message with the series and the number of the event that it is, or follows. */
export interface Numbered {
  readonly series: number;
  readonly n: number;
  readonly message: Message;
}

/** What tabs say to each other. */
export type Note =
  | LeaderNote
  /** A new leader asks where the others are. */
  | { readonly kind: "where" }
  | { readonly kind: "here"; readonly place: Place | undefined }
  /** A tab takes part. */
  | { readonly kind: "hello" }
  /** A tab checks that the leader responds. */
  | { readonly kind: "ping" }
  /** A tab has missed something, and asks for everything after its place. */
  | { readonly kind: "need"; readonly place: Place };

/** What the leader says, which has the connection. */
export interface LeaderNote {
  readonly kind: "leader";
  /** Its error is without its class, which it would lose on the way. */
  readonly state?: ConnectionState;
  /** Its place, as an answer to `hello` and `ping`. */
  readonly place?: Place | undefined;
  readonly received?: Numbered | undefined;
}

/**
 * What a message does to the places: an `event` is numbered, as is a gap of the upstream, which the log replays; a `restart` is
 * where events are missing; a `start` is the beginning of a response.
 */
export function roleOf({ type, control }: Message): "event" | "restart" | "start" | "mark" {
  if (!control || control.reason === "upstream") return "event";
  if (type === "spillway.gap" || type === "spillway.reset") return "restart";
  return type === "connected" ? "start" : "mark";
}

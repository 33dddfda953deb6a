import { ClientError, type ClientErrorDetails } from "./error.ts";
import type { Message } from "./message.ts";
import type { ConnectionState } from "./state.ts";

/** A place in what all tabs receive. */
export interface Place {
  /** Places can be compared if they are of one series, which begins where a leader cannot resume. */
  readonly series: string;
  /** The number of events before it. */
  readonly n: number;
  /** The id to resume with. */
  readonly id: string;
}

/** An error as it passes between tabs. */
type PlainError = ClientErrorDetails & { readonly code: string };

/** A message with the series and the number of the event that it is, or follows. */
export interface Numbered {
  readonly series: string;
  readonly n: number;
  readonly message: Message;
}

/** What tabs say to each other. Only the leader, which has the connection, sends those of the first group. */
export type Note =
  | ({ readonly kind: "message" } & Numbered)
  | { readonly kind: "state"; readonly state: ConnectionState; readonly error: PlainError | undefined }
  /** The answer to `hello` and `ping`. */
  | { readonly kind: "welcome"; readonly place: Place | undefined }
  | { readonly kind: "end"; readonly error: PlainError | undefined }
  /** A new leader asks where the others are. */
  | { readonly kind: "where" }
  | { readonly kind: "here"; readonly place: Place | undefined }
  | { readonly kind: "hello" }
  | { readonly kind: "ping" }
  /** A tab has missed something, and asks for everything after its place. */
  | { readonly kind: "need"; readonly place: Place };

/**
 * What a message does to the places: an `event` is numbered, as is a gap of the upstream, which the log replays; a `restart` is
 * where events are missing; a `start` is the beginning of a response.
 */
export function roleOf({ type, control }: Message): "event" | "restart" | "start" | "mark" {
  if (!control || control.reason === "upstream") return "event";
  if (type === "spillway.gap" || type === "spillway.reset") return "restart";
  return type === "connected" ? "start" : "mark";
}

export const newSeries = (): string => `${Date.now()} ${Math.random()}`;

/** Prepares the error of a state for another tab, where it would lose its class. */
export function plain(state: object): PlainError | undefined {
  if (!("error" in state) || !(state.error instanceof ClientError)) return undefined;
  const { code, status, reason, fatal, retryAfter } = state.error;
  return { code, status, reason, fatal, retryAfter };
}

export function revive({ code, ...details }: PlainError): ClientError {
  return new ClientError(code, details);
}

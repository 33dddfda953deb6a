import type { HttpRequest } from "../http/message.ts";

/** Path and query of a request target in origin form (RFC 9112 §3.2.1). */
export function splitTarget(target: string): Pick<HttpRequest, "path" | "query"> {
  const mark = target.indexOf("?");
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** What carries an answer, and closes with it. */
interface Carrier {
  on(event: "close", listener: () => void): unknown;
}

/** The connection that a request came on, or what does its work. */
interface Input {
  /** Whether the client has ended its side. */
  readonly readableEnded: boolean;
  on(event: "end", listener: () => void): unknown;
  off?(event: "end", listener: () => void): unknown;
  setMaxListeners?(count: number): unknown;
}

/** Calls `listener` once the client has ended its side of the connection, unless `carrier` has closed before. */
export function onHalfClose(input: Input, carrier: Carrier, listener: () => void): void {
  if (input.readableEnded) return listener();
  input.on("end", listener);
  if ((input as object) === carrier) return;
  // Requests of a connection that goes on, perhaps many at once.
  input.setMaxListeners?.(0);
  carrier.on("close", () => input.off?.("end", listener));
}

/** How long a client that has ended its side is waited for, in ms: it may read its answer, or be gone. Only writing to it would tell. */
const halfCloseGrace = 1000;

/**
 * A signal that aborts when `carrier` closes, at once if it `isClosed` already, or when nothing was sent to a client for a while after it ended its side. To be made
 * on use: a subscriber, who may stay for days, needs none. `input` is absent where a client cannot end its side alone.
 */
export function closeSignal(carrier: Carrier, isClosed: boolean, input?: Input): AbortSignal {
  if (isClosed) return AbortSignal.abort();
  const gone = new AbortController();
  carrier.on("close", () => gone.abort());
  if (input) onHalfClose(input, carrier, () => setTimeout(() => gone.abort(), halfCloseGrace).unref());
  return gone.signal;
}

/** `uri-host [ ":" port ]` (RFC 9112 §3.2, RFC 3986 §3.2.2): a name or IPv4 address, or an IP literal in brackets. */
const host = /^(?:\[[0-9a-z:.%]+\]|(?:[\w\-.~!$&'()*+,;=]|%[0-9a-f]{2})*)(?::\d*)?$/i;

/** Whether a `Host` header has a valid value. An empty one is valid: its sender knows no name (RFC 9112 §3.2). */
export function isHost(value: string): boolean {
  return host.test(value);
}

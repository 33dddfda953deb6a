import type { HttpRequest } from "../http/message.ts";

/** Path and query of a request target in origin form (RFC 9112 §3.2.1). */
export function splitTarget(target: string): Pick<HttpRequest, "path" | "query"> {
  const mark = target.indexOf("?");
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** The object that carries a response, and closes with it. */
interface Carrier {
  on(event: "close", listener: () => void): unknown;
}

/** The connection that a request arrived on: a socket, or a connection without one. */
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
  // The connection outlives the request, and may have many requests at once: no warning about too many listeners.
  input.setMaxListeners?.(0);
  carrier.on("close", () => input.off?.("end", listener));
}

/**
 * How long a client that has ended its side may still read its response, in ms. Only a write would show that it is
 * gone.
 */
const halfCloseGrace = 1000;

/**
 * A signal that aborts when `carrier` closes (at once if it `isClosed` already), or one second after the client ended
 * its side. Created on demand, since a subscription, which may last for days, does not need one. `input` is absent
 * where a client cannot end its side alone.
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

/** Whether the value of a `Host` header is valid. An empty one is: the target then has no authority (RFC 9112 §3.2). */
export function isHost(value: string): boolean {
  return host.test(value);
}

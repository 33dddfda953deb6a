import type { HttpRequest } from "../http/message.ts";

/** Path and query of a request target in origin form (RFC 9112 §3.2.1). */
export function splitTarget(target: string): Pick<HttpRequest, "path" | "query"> {
  const mark = target.indexOf("?");
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** A signal that aborts when `carrier` closes. To be made on use: a subscriber, who may stay for days, needs none. */
export function closeSignal(carrier: { on(event: "close", listener: () => void): unknown }): AbortSignal {
  const gone = new AbortController();
  carrier.on("close", () => gone.abort());
  return gone.signal;
}

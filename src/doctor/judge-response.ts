import { isEventStream } from "../sse/index.ts";
import { fail, ok, warn, type Check } from "./check.ts";
import { headerOf, type ResponseHead } from "./exchange.ts";
import type { FoundHop } from "./hops.ts";

/** What helps against an error status. */
const remedies: Readonly<Record<number, string>> = {
  401: 'give a credential: --header "authorization: Bearer …"',
  403: "the credential, or the address without one, needs the right to subscribe to this stream",
  404: "look at the path: a stream is at /streams/<name>, behind a prefix where it is mounted",
  406: "a hop changes the Accept header: let it through",
  407: "a forward proxy wants a credential",
  429: "wait, or raise the limit of the server or of the proxy in front of it",
  502: "a proxy cannot reach the server behind it: look at the address it was given",
  503: "the server or a proxy takes no more: look at /readyz of the gateway",
  504: "a proxy gave up waiting for the server's headers: look at whether the server is up, and at its read timeout",
};

/** Whether it is an event stream at all. */
export function judgeResponse(head: ResponseHead): Check {
  const { status } = head;
  const type = headerOf(head, "content-type") ?? "no Content-Type";
  if (status >= 300 && status < 400) {
    return fail("response", `status ${status}, a redirect`, "check the address that it leads to");
  }
  if (status !== 200) return fail("response", `status ${status}, ${type}`, remedies[status] ?? "look at the server");
  if (isEventStream(type)) return ok("response", `status 200, ${type}`);
  const advice = "look at the path, and for a hop that answers with a page of its own or changes the type";
  return fail("response", `${type} in place of text/event-stream`, advice);
}

/** Whether the headers that keep hops from holding a stream back have come through. */
export function judgeHeaders(head: ResponseHead, spillway: boolean, hops: readonly FoundHop[]): Check {
  const name = "response-headers";
  const length = headerOf(head, "content-length");
  if (length !== undefined) {
    const advice = "find the hop or middleware that waits for the end of the response to measure it";
    return fail(name, `Content-Length: ${length} on a stream`, advice);
  }
  if (head.version === "1.0") {
    const advice = "let the proxy speak HTTP/1.1 or HTTP/2 to clients";
    return warn(name, "HTTP/1.0: the end of the connection is the end of the stream, however it ends", advice);
  }
  const missing = missingHeaders(head, spillway, hops);
  if (missing.length === 0) return ok(name, "all that a stream needs have come through");
  const cause = spillway ? "a hop changes or removes them: let them through" : "let the source send them";
  return warn(name, `missing: ${missing.join(", ")}`, cause);
}

function missingHeaders(head: ResponseHead, spillway: boolean, hops: readonly FoundHop[]): string[] {
  const cache = headerOf(head, "cache-control") ?? "";
  const missing: string[] = [];
  if (!/\bno-(cache|store)\b/i.test(cache)) missing.push("Cache-Control: no-cache");
  if (!spillway) return missing;
  if (!/\bno-transform\b/i.test(cache)) missing.push("Cache-Control: no-transform");
  if (headerOf(head, "spillway-resume") === undefined) missing.push("Spillway-Resume");
  // nginx obeys it and keeps it to itself.
  const obeyed = hops.some(({ hop }) => hop.name === "nginx");
  if (!obeyed && headerOf(head, "x-accel-buffering") === undefined) missing.push("X-Accel-Buffering");
  return missing;
}

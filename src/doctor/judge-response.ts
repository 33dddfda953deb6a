import { isEventStream } from "../sse/index.ts";
import { fail, ok, readableTime, warn, type Check } from "./check.ts";
import { headerOf, type ResponseHead } from "./exchange.ts";
import { settingFor, type FoundHop } from "./hops.ts";
import type { StreamProbe } from "./stream-probe.ts";

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

/** What the first look at a stream is judged by. Times in ms. */
export interface FlowFacts {
  readonly hops: readonly FoundHop[];
  /** Whether a Spillway answers: it sends headers and a first event at once. */
  readonly spillway: boolean;
  /** How long was waited for each thing. */
  readonly timeout: number;
  /** The answer to HEAD, which has no body that could be waited for. */
  readonly bare: ResponseHead | undefined;
}

/** Later than this is late, in ms. */
export function lateAfter(timeout: number): number {
  return timeout / 5;
}

/** Whether the headers come by themselves, and not only once there is enough of a body. */
export function judgeHeaderDelay(probe: StreamProbe, { hops, timeout, bare }: FlowFacts): Check {
  const name = "header-delay";
  const alive = bare ? `, though HEAD was answered after ${readableTime(bare.at)}` : "";
  const setting = settingFor("delayed", hops);
  if (!probe.head) {
    const found = `no headers within ${readableTime(timeout)}${alive}`;
    return fail(name, found, bare ? setting : `see that the server is up; ${setting}`);
  }
  const { at } = probe.head;
  if (at - (bare?.at ?? 0) <= lateAfter(timeout)) return ok(name, `headers after ${readableTime(at)}`);
  return warn(name, `headers only after ${readableTime(at)}${alive}`, setting);
}

/**
 * Whether the first event comes at once.
 * @param replayed bytes that came of an answer with all events held, where that was asked for too
 */
export function judgeBuffering(probe: StreamProbe, facts: FlowFacts, replayed: number | undefined): Check {
  const name = "buffering";
  const { hops, timeout, spillway } = facts;
  const setting = settingFor("buffered", hops);
  const [first] = probe.arrivals;
  if (first) {
    const delay = first.at - (probe.head?.at ?? 0);
    if (delay <= lateAfter(timeout)) return ok(name, `first event ${readableTime(delay)} after the headers`);
    return warn(name, `first event only ${readableTime(delay)} after the headers`, setting);
  }
  const nothing = `no event within ${readableTime(timeout)}`;
  if (!spillway) {
    const advice = `try it while events flow; if they should: ${setting}`;
    return warn(name, `${nothing}: the source is silent, or what it sends is held back`, advice);
  }
  const found = `${nothing}, though Spillway sends one with the headers`;
  if (!replayed) return fail(name, found, setting);
  const size = `of a longer answer ${replayed} bytes came at once, so it waits until a buffer is full`;
  return fail(name, `${found}; ${size}`, setting);
}

/** @param probe of a request that allows compression, as browsers send it */
export function judgeCompression(probe: StreamProbe, { hops, timeout }: FlowFacts): Check {
  const name = "compression";
  const encoding = headerOf(probe.head, "content-encoding") ?? "identity";
  const setting = settingFor("compressed", hops);
  if (probe.head?.status !== 200) {
    const found = probe.head ? `status ${probe.head.status}` : "no headers came";
    return warn(name, `not known: ${found} where compression is allowed`, "look again once the rest is right");
  }
  if (encoding.toLowerCase() === "identity") return ok(name, "not compressed where it is allowed");
  const found = `Content-Encoding: ${encoding}`;
  const [first] = probe.arrivals;
  if (first && first.at - probe.head.at <= lateAfter(timeout)) {
    return warn(name, `${found}; the first event came through at once, later ones may wait`, setting);
  }
  const wait = first ? readableTime(first.at - probe.head.at) : `more than ${readableTime(timeout)}`;
  return fail(name, `${found}, and the first event takes ${wait}`, setting);
}

import { fail, ok, warn, type Check } from "./check.ts";
import { headerOf, type ResponseHead } from "./exchange.ts";
import { settingFor, type FoundHop } from "./hops.ts";
import { readableTime } from "./quantity.ts";
import type { StreamProbe } from "./stream-probe.ts";

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

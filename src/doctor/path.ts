/** The checks of the path to a stream: requests as browsers make them, one after the other, and what they tell. */
import { fail, ok, readableTime, warn, type Check } from "./check.ts";
import { headerOf, type Exchange } from "./exchange.ts";
import { findHops, type FoundHop } from "./hops.ts";
import {
  judgeBuffering,
  judgeCompression,
  judgeHeaderDelay,
  judgeHeaders,
  judgeResponse,
  type FlowFacts,
} from "./judge-response.ts";
import { judgeBursts, judgeIdle, judgePublications, notPublished, type Publication } from "./judge-stream.ts";
import { openExchange } from "./open-exchange.ts";
import {
  askForRefusal,
  askListener,
  askTimes,
  fromTheBeginning,
  publishProbe,
  streamRequest,
  type PathRequests,
} from "./path-requests.ts";
import { greetingOf, openStreamProbe, type StreamProbe } from "./stream-probe.ts";

export interface PathOptions {
  /** Sent with every request; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long headers, a first event or a published one may take, in ms; more than a fifth of it is late. */
  readonly timeout: number;
  /** How long the stream is held open, in ms. */
  readonly idle: number;
  /** Publishes events to see them arrive, with a key of its own if there is one. */
  readonly publish: { readonly key: string | undefined } | undefined;
}

/** Yields each check as soon as it is done; ends early where the rest could not be judged. Never throws. */
export async function* checkPath(url: URL, options: PathOptions): AsyncGenerator<Check, void> {
  const requests: PathRequests = { url, headers: options.headers, timeout: options.timeout };
  const [bare, refusal] = await Promise.all([askBare(requests), askForRefusal(url, options.timeout)]);
  yield judgeConnection(bare, url);
  if (bare.end?.how === "unreachable") return;
  const hops = findHops(bare.head, refusal);
  yield describeHops(hops, refusal);

  const first = await look(requests);
  if (first.end?.how === "unreachable") {
    yield judgeConnection(first, url);
    return;
  }
  const spillway = [first.head, bare.head].some((head) => headerOf(head, "spillway-resume") !== undefined);
  const facts: FlowFacts = {
    hops,
    spillway: spillway || greetingOf(first) !== undefined,
    timeout: options.timeout,
    bare: bare.head,
  };
  const usable = yield* judgeFirst(first, facts);
  if (!usable) return;
  const listener = facts.spillway ? await askListener(requests) : undefined;
  if (listener !== undefined) yield ok("listener", `${listener} (from /status)`);
  yield judgeBuffering(first, facts, await replayedBytes(requests, first, facts));
  yield judgeCompression(await look(requests, "gzip, deflate, br"), facts);
  // A source that is no Spillway may just be silent.
  if (first.head && (first.arrivals.length > 0 || !facts.spillway)) yield* hold(requests, options, facts);
  else yield warn("idle", "skipped: nothing comes through", "look again once the rest is right");
}

/** HEAD is answered at once by whatever buffers a body. */
async function askBare(requests: PathRequests): Promise<Exchange> {
  const exchange = openExchange({ ...streamRequest(requests), method: "HEAD" });
  await exchange.until(() => exchange.head !== undefined, requests.timeout);
  exchange.close();
  return exchange;
}

function judgeConnection({ head, end }: Exchange, { protocol, host }: URL): Check {
  if (end?.how === "unreachable") {
    const found = `${host} does not answer (${end.reason ?? "connection closed"})`;
    return fail(
      "connection",
      found,
      "see that the server runs, and that the name, the port and the certificate are right",
    );
  }
  if (!head) return ok("connection", `${host} accepts connections, and does not answer HEAD`);
  const over = protocol === "https:" ? "over TLS" : "unencrypted";
  const many =
    head.version === "2" ? "" : "; browsers open at most 6 such connections to a host, HTTP/2 has no such limit";
  return ok("connection", `HTTP/${head.version} ${over}, HEAD answered after ${readableTime(head.at)}${many}`);
}

function describeHops(hops: readonly FoundHop[], refusal: string): Check {
  if (hops.length > 0) return ok("hops", hops.map(({ hop, trace }) => `${hop.name} (${trace})`).join(", "));
  const direct = refusal.includes('"code":"request-invalid"');
  return ok("hops", direct ? "none: Spillway answers itself" : "none that left a trace");
}

/** One look at the stream: its headers and its first event. */
async function look(requests: PathRequests, encodings?: string): Promise<StreamProbe> {
  const probe = openStreamProbe(streamRequest(requests, encodings));
  await untilFirst(probe, requests.timeout);
  probe.close();
  return probe;
}

/** Waits so long for the headers, and as long again for the first event. */
async function untilFirst(probe: StreamProbe, timeout: number): Promise<void> {
  if (!(await probe.until(() => probe.head !== undefined, timeout))) return;
  if (probe.head?.status !== 200) return;
  await probe.until(() => probe.arrivals.length > 0, timeout);
}

/** Yields what the headers tell; returns whether there is a stream to look at further. */
async function* judgeFirst(first: StreamProbe, facts: FlowFacts): AsyncGenerator<Check, boolean> {
  const head = first.head ?? (facts.bare?.status === 200 ? facts.bare : undefined);
  if (head) {
    const response = judgeResponse(head);
    yield response;
    if (response.outcome === "fail") return false;
    yield judgeHeaders(head, facts.spillway, facts.hops);
  }
  yield judgeHeaderDelay(first, facts);
  return head !== undefined;
}

/** Where nothing came of an answer that begins with one event: what comes of one that begins with all of them. */
async function replayedBytes(
  requests: PathRequests,
  first: StreamProbe,
  { spillway, timeout }: FlowFacts,
): Promise<number | undefined> {
  if (!spillway || first.arrivals.length > 0) return undefined;
  const probe = openStreamProbe(streamRequest({ ...requests, url: fromTheBeginning(requests.url) }));
  await probe.until(() => probe.bytes > 0, timeout);
  probe.close();
  return probe.bytes;
}

/** Holds the stream open, publishing where that is wished, and judges how events came and how it ended. */
async function* hold(requests: PathRequests, options: PathOptions, facts: FlowFacts): AsyncGenerator<Check, void> {
  const probe = openStreamProbe(streamRequest(requests));
  try {
    await untilFirst(probe, options.timeout);
    if (probe.head?.status !== 200) {
      yield notHeld(probe);
      return;
    }
    const stream = greetingOf(probe)?.["stream"];
    const published = options.publish && stream !== undefined ? publish(probe, requests, options, stream) : undefined;
    if (published) yield judgePublished(await published, facts);
    await probe.until(() => probe.end !== undefined, options.idle);
    if (!published) yield judgeBursts(probe.arrivals, await times(probe, requests), facts.hops, options.timeout);
    yield judgeIdle(probe, facts.hops, facts.spillway);
  } finally {
    probe.close();
  }
}

function notHeld({ head }: StreamProbe): Check {
  const found = head ? `status ${head.status}` : "no headers";
  return warn("idle", `skipped: ${found} at the third request`, "look for a limit of connections or of their rate");
}

function judgePublished(published: readonly Publication[] | string, { hops, timeout }: FlowFacts): Check {
  return typeof published === "string" ? notPublished(published) : judgePublications(published, hops, timeout);
}

async function times(probe: StreamProbe, requests: PathRequests): Promise<ReadonlyMap<string, number>> {
  const cursor = greetingOf(probe)?.["cursor"];
  return cursor === undefined || probe.arrivals.length < 2 ? new Map() : askTimes(requests, cursor);
}

/** How many events are published. */
const publications = 3;

/** Publishes events, each when the one before has arrived. Returns the problem where that is refused. */
async function publish(
  probe: StreamProbe,
  requests: PathRequests,
  { publish: as, timeout }: PathOptions,
  stream: string,
): Promise<readonly Publication[] | string> {
  const results: Publication[] = [];
  while (results.length < publications) {
    const sentAt = probe.now();
    const answer = await publishProbe(requests, stream, as?.key);
    if ("problem" in answer) return answer.problem;
    const arrival = (): number | undefined => probe.arrivals.find(({ id }) => id === answer.id)?.at;
    await probe.until(() => arrival() !== undefined, timeout);
    const at = arrival();
    results.push({ delay: at === undefined ? undefined : at - sentAt });
    if (at === undefined) break;
  }
  return results;
}

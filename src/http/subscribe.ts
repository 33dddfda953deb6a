import { SpillwayError } from "../errors.ts";
import type { Identity } from "../access/identity.ts";
import type { Format } from "../hub/format.ts";
import { formatCursor } from "../log/cursor.ts";
import { eventStreamHeaders } from "../sse/index.ts";
import { beginSpan } from "../telemetry/spans.ts";
import { addConditions, grantFor, narrow, readFilter } from "./filter.ts";
import { holdFilters, type HeldFilters } from "./held-filters.ts";
import { longPoll, type SubscribeContext } from "./long-poll.ts";
import type { HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpStream } from "./message.ts";
import { createSearch, findStart, readStartPosition, resumeHeaders, type Start } from "./position.ts";
import { invalid, problem } from "./problem.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import { begin } from "./sessions.ts";

/**
 * `GET /streams/<name>`: the stream from a position, in the representation that the client accepts.
 * @param query the parameters that are for the gateway
 */
export async function subscribe(
  request: HttpRequest,
  to: ServedStream,
  channel: string | undefined,
  { identity, address }: Caller,
  gateway: GatewayContext,
  query: URLSearchParams = request.query,
): Promise<HttpResponse> {
  if (gateway.draining) throw new SpillwayError("shutting-down");
  const representation = negotiate(request.header("accept"));
  const asked = readFilter(query, channel, gateway.policy.limits.channels);
  const names = narrow(asked, grantFor(to, identity));
  const failOnGap = readOnGap(query);
  const { filters, release } = await admit(asked?.filter, to, { identity, address }, gateway);
  const filter = addConditions(names, filters.all);
  let known: AbortSignal | undefined;
  const signal = (): AbortSignal => (known ??= request.signal);
  const search = createSearch(signal, { address }, gateway);
  const endsAt = endOf(request, gateway);
  const parts = { identity, address, stream: to.name, right: to.right, asked, endsAt, release };
  const context: SubscribeContext = { request, query, gateway, to, filter, filters, signal, search, parts };
  try {
    const answer = await respond(context, representation, failOnGap);
    if (!("open" in answer)) release();
    return answer;
  } catch (error) {
    release();
    throw error;
  }
}

/** By how much the longest duration is shortened at most, so that clients do not reconnect all at once. */
const spread = 0.1;

/** When the response to a request must end, in ms since 1970. */
export function endOf({ maxDuration = Infinity }: HttpRequest, { policy }: GatewayContext): number {
  const longest = Math.min(maxDuration, policy.limits.maxDuration ?? Infinity);
  return Date.now() + longest * (1 - spread * Math.random());
}

/** Takes a place among the connections, and compiles the filter expressions of the client. */
async function admit(
  filter: string | undefined,
  to: ServedStream,
  caller: Caller,
  { admission }: GatewayContext,
): Promise<{ readonly filters: HeldFilters; readonly release: () => void }> {
  const letGo = to.pattern === undefined ? undefined : to.hold();
  let leave = letGo ?? ((): void => {});
  try {
    const admitted = admission.connect({ subject: caller.identity.subject, address: caller.address });
    const free = admitted instanceof Promise ? await admitted : admitted;
    leave = letGo ? (): void => (free(), letGo()) : free;
    const filters = await holdFilters(filter, caller, to);
    if (filters.all.length === 0) return { filters, release: leave };
    const release = (): void => {
      filters.release();
      leave();
    };
    return { filters, release };
  } catch (error) {
    leave();
    throw error;
  }
}

async function respond(
  context: SubscribeContext,
  representation: Representation,
  failOnGap: boolean,
): Promise<HttpResponse> {
  const { request, query, gateway, to, filter, filters, parts } = context;
  const search = request.method === "HEAD" ? undefined : context.search;
  const granted = addConditions(narrow(undefined, grantFor(to, parts.identity)), filters.granted);
  const start = await findStart(readStartPosition(request, query), to, { filter, granted, search });
  // The hub may have closed during the lookup.
  if (to.hub.closed) {
    // A reload may have replaced the stream.
    const now = gateway.draining
      ? undefined
      : (gateway.streams.get(to.name) ?? (await gateway.onDemand.obtain(to.name)));
    if (now && now !== to) return respond({ ...context, to: now }, representation, failOnGap);
    throw new SpillwayError("shutting-down");
  }
  const missing = start.gap ?? start.reset;
  if (missing && failOnGap) return gone(start, to);
  if (representation === "json") return longPoll(context, start);
  const headers = streamHeaders(representation, start);
  if (request.method === "HEAD") return { status: 200, headers };
  return openStream(context, representation, start, headers);
}

async function openStream(
  { gateway, to, filter, signal, parts }: SubscribeContext,
  representation: "sse" | "ndjson",
  start: Start,
  headers: HttpHeaders,
): Promise<HttpStream> {
  const behind = to.hub.head - start.position;
  const leaveReplay = behind > 0 ? await enterReplay(signal, gateway, to.name, behind) : undefined;
  return {
    status: 200,
    headers,
    endsConnection: true,
    open(sink) {
      const session = gateway.sessions.open(parts);
      session.announce(filter);
      session.leaveReplay = leaveReplay;
      if (start.gap || start.reset) to.hub.stats.gaps++;
      // With a filter, the client may not know the id of the event at this position.
      const id = start.id ?? (filter ? undefined : to.hub.idAt(start.position));
      const subscription = to.hub.subscribe({
        position: start.position,
        filter,
        format: representation,
        preamble: preamble(session.client, to, parts.identity, { ...start, id }, to.hub.formats[representation]),
        sink,
        owner: session,
      });
      begin(session, subscription, gateway);
      return subscription;
    },
    abandon() {
      leaveReplay?.();
      parts.release();
    },
  };
}

/**
 * Waits for a place among the replays. Returns the function to call when the client has reached the head or has
 * disconnected.
 */
export async function enterReplay(
  signal: () => AbortSignal,
  gateway: GatewayContext,
  stream: string,
  behind: number,
): Promise<() => void> {
  const span = beginSpan("spillway.replay", { "spillway.stream": stream, "spillway.behind": behind });
  try {
    const leave = await gateway.replays.enter(signal);
    return () => {
      leave();
      span.end();
    };
  } catch (error) {
    span.end({}, error instanceof SpillwayError ? error.code : "internal");
    throw error;
  }
}

function readOnGap(query: URLSearchParams): boolean {
  const value = query.get("on-gap") ?? "announce";
  if (value !== "announce" && value !== "fail") throw invalid("on-gap", '"announce" or "fail"', value);
  return value === "fail";
}

/** The response to `?on-gap=fail`: the data of the control event, before any event is delivered. */
function gone(start: Start, stream: ServedStream): HttpBody {
  const { epoch } = stream.log;
  const { requested, earliest } = (start.gap ?? start.reset)!;
  const error = new SpillwayError("gap", undefined, { got: requested ?? undefined });
  const facts = { outcome: start.outcome, requested, earliest, lost: start.gap?.lost ?? null, epoch };
  return problem(error, facts, { "Spillway-Resume": start.outcome });
}

function streamHeaders(representation: "sse" | "ndjson", start: Start): HttpHeaders {
  return { ...eventStreamHeaders, "Content-Type": representations[representation], ...resumeHeaders(start) };
}

/**
 * The first events: `connected`, then the gap or reset if there is one. The last of them carries the id of the
 * position, so that a client without any event resumes there. A client that is disconnected before it receives the gap
 * resumes with its old id.
 */
function preamble(
  client: string,
  stream: ServedStream,
  { expiresAt = Infinity }: Identity,
  start: Start,
  format: Format,
): string {
  const { log, hub } = stream;
  const upstream = stream.upstream()?.state;
  const cursor = formatCursor(log.epoch, start.position);
  const { id = cursor } = start;
  const connected = {
    client,
    stream: stream.name,
    cursor,
    head: formatCursor(log.epoch, hub.head),
    retry: stream.retry,
    heartbeat: stream.heartbeat,
    upstream: upstream === "connecting" ? "waiting" : upstream,
    expiresAt: expiresAt === Infinity ? undefined : new Date(expiresAt).toISOString(),
  } as const;
  if (start.gap) return format.control("connected", connected) + format.control("spillway.gap", start.gap, id);
  if (start.reset) return format.control("connected", connected) + format.control("spillway.reset", start.reset, id);
  return format.control("connected", connected, id);
}

/** The representations of a stream, the default first. */
const representations = {
  sse: "text/event-stream",
  ndjson: "application/x-ndjson",
  json: "application/json",
} as const;

type Representation = keyof typeof representations;

/** Whether an `Accept` header names event streams, and prefers no other representation of a stream. */
export function asksForEventStream(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes(representations.sse) === true && preferred(accept) === "sse";
}

/** @throws {SpillwayError} `not-acceptable` */
function negotiate(accept: string | undefined): Representation {
  const found = preferred(accept);
  if (found) return found;
  throw new SpillwayError("not-acceptable", undefined, {
    field: "Accept",
    expected: Object.values(representations).join(", "),
  });
}

/**
 * Chooses a representation by the `Accept` header (RFC 9110 §12.5.1): the highest quality first, then the more specific
 * range, then the order of {@link representations}. `undefined` if none is acceptable.
 */
function preferred(accept: string | undefined): Representation | undefined {
  // The usual case, without parsing.
  if (!accept || accept === representations.sse) return "sse";
  const ranges = accept.split(",").map(parseRange);
  let best: { name: Representation; quality: number; precision: number } | undefined;
  for (const [name, type] of Object.entries(representations) as Array<[Representation, string]>) {
    const fitting = ranges
      .filter((range) => fits(range.type, type))
      .toSorted((a, b) => precision(b.type) - precision(a.type));
    const range = fitting[0];
    if (!range || range.quality === 0) continue;
    const candidate = { name, quality: range.quality, precision: precision(range.type) };
    const better =
      !best ||
      candidate.quality > best.quality ||
      (candidate.quality === best.quality && candidate.precision > best.precision);
    if (better) best = candidate;
  }
  return best?.name;
}

function parseRange(text: string): { type: string; quality: number } {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return {
    type: type === "application/ndjson" ? representations.ndjson : type,
    quality: Number.isNaN(quality) ? 0 : quality,
  };
}

function fits(range: string, type: string): boolean {
  return range === type || range === "*/*" || range === type.replace(/\/.*/, "/*");
}

function precision(range: string): number {
  return range === "*/*" ? 0 : range.endsWith("/*") ? 1 : 2;
}

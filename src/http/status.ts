import { allows } from "../access/identity.ts";
import { formatCursor } from "../log/cursor.ts";
import type { UpstreamStatus } from "../upstream/upstream.ts";
import type { NodeSummary } from "./clients.ts";
import { narrow } from "./filter.ts";
import { json, type HttpBody } from "./message.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import type { GatewayStatus, StreamRange, StreamStatus, StreamUpstreamStatus } from "./gateway-status.ts";

/** `GET /status`: the state of the gateway and of the granted streams. */
export function status(gateway: GatewayContext, { identity }: Caller): HttpBody {
  return json(describe(gateway, ({ name }) => allows(identity.grant.streams, name)));
}

/** `GET /metrics`: the metrics in a text format. */
export async function metrics(gateway: GatewayContext): Promise<HttpBody> {
  const { contentType, text } = await gateway.metrics();
  return { status: 200, headers: { "Content-Type": contentType, "Cache-Control": "no-store" }, body: text };
}

/** The data of `GET /status`. */
export function describe(
  gateway: GatewayContext,
  isShown: (stream: ServedStream) => boolean = () => true,
): GatewayStatus {
  return {
    version: gateway.version,
    node: gateway.node,
    uptime: secondsSince(gateway.startedAt),
    ready: isReady(gateway),
    listener: gateway.listener,
    ...(gateway.workers && { workers: gateway.workers() }),
    streams: Object.fromEntries(
      [...gateway.streams.values(), ...gateway.onDemand.open()]
        .filter(isShown)
        .map((stream) => [stream.name, streamStatus(stream, gateway)]),
    ),
    onDemand: gateway.onDemand.status(),
    routes: gateway.routes(),
    deliveries: Object.fromEntries(
      Object.entries(gateway.deliveries.status()).filter(([, { stream }]) => {
        const served = gateway.streams.get(stream);
        return served !== undefined && isShown(served);
      }),
    ),
  };
}

/** What this node tells the others of itself. */
export function summarize({ node, version, startedAt, streams }: GatewayContext): NodeSummary {
  const all = [...streams.values()];
  return {
    node,
    version,
    uptime: secondsSince(startedAt),
    subscribers: all.reduce((sum, stream) => sum + stream.subscriberStats().subscribers, 0),
    leads: all.filter(({ lease }) => lease?.()?.leader).map(({ name }) => name),
  };
}

function streamStatus(stream: ServedStream, gateway: GatewayContext): StreamStatus {
  const { log, ids } = stream;
  const { events, bytes, lastTime, upstreamCursor } = log.state();
  const upstream = stream.upstream();
  const { age = null, events: most = null, bytes: size = null } = gateway.retention(stream) ?? {};
  return {
    ...place(stream),
    ids: ids === "gateway" ? ids : "upstream",
    events,
    bytes,
    retention: { age, events: most, bytes: size },
    lastEvent: time(lastTime),
    ...stream.subscriberStats(),
    paused: stream.paused() ?? null,
    ...leaseStatus(stream),
    ...replicationStatus(stream),
    ...transformStatus(stream),
    ...definitionStatus(stream),
    upstream: upstream ? upstreamStatus(upstream, upstreamCursor) : null,
  };
}

/** The upstream of a stream in `/status`. */
export function upstreamStatus(upstream: UpstreamStatus, cursor: string | undefined): StreamUpstreamStatus {
  return {
    state: upstream.state,
    target: upstream.target ?? null,
    lastEventId: cursor ?? null,
    reconnects: upstream.reconnects,
    received: upstream.received,
    repeated: upstream.repeated,
    refused: upstream.refused,
    errors: upstream.errors,
    lastError: upstream.lastError ?? null,
    openSince: time(upstream.openedAt ?? 0),
    retryAt: time(upstream.retryAt ?? 0),
  };
}

/** The lease of a stream, if nodes share the store. */
function leaseStatus({ lease }: ServedStream): Pick<StreamStatus, "leader" | "lease"> {
  const found = lease?.();
  return found ? { leader: found.leader, lease: { holder: found.holder ?? null, fence: found.fence ?? null } } : {};
}

function replicationStatus({ replication }: ServedStream): Pick<StreamStatus, "replication"> {
  if (!replication) return {};
  const { connected, lag, reconnects } = replication();
  return { replication: { connected, lag: lag === undefined ? null : Number(lag.toFixed(3)), reconnects } };
}

function definitionStatus({ definition }: ServedStream): Pick<StreamStatus, "definition"> {
  const found = definition();
  return found ? { definition: { ...found } } : {};
}

function transformStatus({ transform }: ServedStream): Pick<StreamStatus, "transform"> {
  const found = transform();
  return found ? { transform: { ...found, errors: { ...found.errors } } } : {};
}

/** `GET /streams`: the streams that the caller may subscribe to. */
export async function listStreams(gateway: GatewayContext, { identity }: Caller): Promise<HttpBody> {
  const all = [...Array.from(gateway.streams.values(), place), ...(await gateway.onDemand.list())];
  return json({ streams: all.filter(({ name }) => allows(identity.grant.streams, name)) });
}

/** A stream's name, and the range of events in its log. */
export function place({ name, log }: ServedStream): StreamRange {
  const { head, earliest } = log.state();
  return { name, head: formatCursor(log.epoch, head), earliest: formatCursor(log.epoch, earliest) };
}

/** `GET /healthz`: the process answers. */
export function liveness(): HttpBody {
  return json({ status: "ok" });
}

/** `GET /health`: the process answers, with its uptime in whole seconds and the time. */
export function health({ startedAt }: GatewayContext): HttpBody {
  return json({ status: "ok", uptime: secondsSince(startedAt), timestamp: new Date().toISOString() });
}

/**
 * `GET /readyz`: whether the gateway can accept traffic. A lost upstream does not matter, because the log is still
 * served.
 */
export function readiness(gateway: GatewayContext): HttpBody {
  const reasons = unreadiness(gateway);
  if (reasons.length === 0) return json({ status: "ok" });
  return json({ status: "unavailable", reasons }, { "Retry-After": "5" }, 503);
}

/** Whether the gateway can accept traffic. */
export function isReady(gateway: GatewayContext): boolean {
  return unreadiness(gateway).length === 0;
}

function unreadiness(gateway: GatewayContext): string[] {
  if (gateway.draining) return ["shutting-down"];
  return [...gateway.streams.values()].flatMap((stream) => stream.paused() ?? []);
}

/**
 * An upstream's state in the terms of single-stream proxies built on `EventSource`: the names of its `readyState`, in
 * which waiting for the next attempt is `CONNECTING`. Without a connection, it is `closed`.
 */
const connectionWords: Readonly<Record<string, string>> = {
  open: "OPEN",
  connecting: "CONNECTING",
  waiting: "CONNECTING",
  stopped: "CLOSED",
};

/** `GET /api/status`: the default stream in the format of common single-stream proxies. */
export function simpleStatus(stream: ServedStream, { identity }: Caller): HttpBody {
  const { log } = stream;
  const { head, lastTime, upstreamCursor } = log.state();
  // The cursor may be the id of an event that is not granted to the caller.
  const { grant, scope } = identity;
  const filter = grant.filter ?? (scope && "stream" in scope ? scope.filter : undefined);
  const lastId = narrow(undefined, grant) || filter !== undefined ? undefined : upstreamCursor;
  const upstream = stream.upstream();
  const connected = upstream === undefined || upstream.state === "open" || upstream.state === "idle";
  return json({
    status: connected && stream.paused() === undefined ? "ok" : "degraded",
    upstreamConnection: connectionWords[upstream?.state ?? "idle"] ?? "closed",
    clientConnections: stream.subscriberStats().subscribers,
    lastMessageId: lastId ?? (head === 0 ? null : formatCursor(log.epoch, head)),
    lastUpdated: time(lastTime),
  });
}

/** `GET /api/metrics`: the default stream's counters since the start. */
export function simpleMetrics({ subscriberStats, upstream, log }: ServedStream): HttpBody {
  const source = upstream();
  return json({
    eventsReceived: source?.received ?? log.state().head,
    eventsBroadcast: subscriberStats().delivered,
    errors: source?.errors ?? 0,
    reconnections: source?.reconnects ?? 0,
  });
}

function secondsSince(startedAt: number): number {
  return Math.round((Date.now() - startedAt) / 1000);
}

function time(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

import { SpillwayError } from "../errors.ts";
import type { ServedStream } from "../http/gateway-context.ts";
import { formatCursor } from "../log/cursor.ts";
import type { LogStore } from "../log/log.ts";
import type { ShareOptions } from "../proxy/options.ts";
import type { ProxyRoute } from "../proxy/proxy.ts";
import type { SharedRequest } from "../proxy/shared-request.ts";
import type { TransformContext } from "../transform/transform.ts";
import { withFields, type Logger } from "../util/logger.ts";
import type { StreamOptions } from "./options.ts";
import { openSource, type OwnSource } from "./source.ts";
import { createStreamTransform, createTransformCounts, type StreamTransform } from "./stream-transform.ts";
import { serveStream, type StreamDependencies } from "./stream.ts";

/** The response to a route's request that clients share: a stream that is opened while the gateway runs. */
export interface SharedStream {
  readonly route: ProxyRoute;
  /** Who opened it. */
  readonly owner: string;
  /**
   * Resolves when clients can subscribe; to `undefined` if the target does not answer with an event stream, or if the
   * stream was stopped before. Rejects with `target-timeout` or a `store-…` code.
   */
  readonly opened: Promise<ServedStream | undefined>;
  /** The stream, once it is open. */
  stream(): ServedStream | undefined;
  /** The cursor of the last event before the target's response; `undefined` before the log is open. */
  beginning(): string | undefined;
  /** Whether it is open and has no clients. */
  isIdle(): boolean;
  /** Keeps it for `linger` from now on, because a client is about to subscribe. */
  touch(): void;
  /** Stops ingest; resolves once all received events are in the log. */
  stop(): Promise<void>;
}

export interface SharedStreamDependencies extends StreamDependencies {
  openStore(): Promise<LogStore>;
  /** Called when it has had no clients for `linger`. */
  onUnused(): void;
}

/** The interval of heartbeats, in ms, unless the route has another. */
const defaultHeartbeat = 15_000;

/** How long the transform of a route may take for an event of all its clients, in ms. */
const transformTimeout = 5_000;

/** Opens the stream of a request over a log, and connects to the target. */
export function openSharedStream(
  log: string,
  route: ProxyRoute,
  share: ShareOptions,
  request: SharedRequest,
  owner: string,
  dependencies: SharedStreamDependencies,
): SharedStream {
  const stopping = new AbortController();
  let source: OwnSource | undefined;
  let stream: ServedStream | undefined;
  let beginning: string | undefined;
  let hasClients = false;
  let timer: NodeJS.Timeout | undefined;

  function touch(): void {
    clearTimeout(timer);
    if (!hasClients && !stopping.signal.aborted)
      timer = setTimeout(() => dependencies.onUnused(), share.linger).unref();
  }

  function hold(): () => void {
    hasClients = true;
    clearTimeout(timer);
    return () => {
      hasClients = false;
      touch();
    };
  }

  async function open(): Promise<ServedStream | undefined> {
    const logger = withFields(dependencies.logger, { route: route.name });
    const options = optionsOf(route, share, request);
    const transform = transformOf(route, request, logger);
    const store = await dependencies.openStore();
    // No other process has the store, so the lease is not used.
    const opened = await openSource(log, options, { store, logger, lease: 0, transform });
    source = opened;
    beginning = formatCursor(opened.log.epoch, opened.log.state().head);
    const isAnswered = firstState(opened, stopping.signal);
    const right = route.options.access === "required" ? "proxy" : "none";
    const served = await serveStream(route.name, options, { ...opened, hold }, { ...dependencies, logger }, right);
    opened.onUpstream((state) => served.hub.broadcast("spillway.upstream", { state }));
    if (!stopping.signal.aborted) opened.start();
    // A log with events is that of an event stream: the target has answered an earlier process.
    if (opened.log.state().head === 0 && (await isAnswered) !== "open") return unanswered(opened);
    stream = served;
    return served;
  }

  return {
    route,
    owner,
    opened: open(),
    stream: () => stream,
    beginning: () => beginning,
    isIdle: () => stream !== undefined && !hasClients,
    touch,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await source?.stop();
    },
  };
}

/** Clients with different credentials share the response, so the transform gets no subject. */
function transformOf(
  { name: route, options: { transform: options }, transform }: ProxyRoute,
  { path }: SharedRequest,
  logger: Logger,
): StreamTransform | undefined {
  const contextOf = (): TransformContext => ({ route, path, subject: "anonymous" });
  const counts = createTransformCounts();
  return (
    options &&
    transform &&
    createStreamTransform({ ...options, timeout: transformTimeout, transform, contextOf, counts, logger })
  );
}

/** The first state of the upstream after an attempt; `undefined` if it is stopped before. */
function firstState(source: OwnSource, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    source.onUpstream(resolve);
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined));
  });
}

/** @throws {SpillwayError} `target-timeout`; any other answer is found out by forwarding the request. */
function unanswered(source: OwnSource): undefined {
  const { lastError, target } = source.upstream() ?? {};
  if (lastError === "upstream-timeout") throw new SpillwayError("target-timeout", `${target}: no answer in time`);
}

function optionsOf(
  { options: { heartbeat = defaultHeartbeat } }: ProxyRoute,
  { retention }: ShareOptions,
  { upstream }: SharedRequest,
): StreamOptions {
  return {
    // Stopped with the stream.
    upstream: { ...upstream, connect: "always", linger: 0 },
    hasUpstream: true,
    webhook: undefined,
    channel: undefined,
    // That of the route is loaded with the route.
    transform: undefined,
    definition: undefined,
    ids: "gateway",
    retention,
    heartbeat: { interval: heartbeat, event: undefined },
    retry: undefined,
    coalesce: 0,
  };
}

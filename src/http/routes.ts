import { SpillwayError } from "../errors.ts";
import { endSubscriber, endSubscribers, listSubscribers, reload, sendToSubscriber } from "./admin.ts";
import { commandDelivery, isDeliveryCommand, listDeliveries, showDelivery } from "./deliveries.ts";
import { listNodes, listUpstreams, runChecks, showConfig, showHistory } from "./show-diagnostics.ts";
import type { Caller, GatewayContext, Route, ServedStream } from "./gateway-context.ts";
import { home, homeFacts, wantsJson } from "./home.ts";
import type { HttpRequest, HttpResponse } from "./message.ts";
import { publish } from "./publish.ts";
import { readAnyJson, readEvents, type EventReader } from "./publish-body.ts";
import { health, listStreams, liveness, metrics, readiness, simpleMetrics, simpleStatus, status } from "./status.ts";
import { subscribe } from "./subscribe.ts";
import { issueTicket } from "./tickets.ts";
import { receiveWebhook } from "./webhook.ts";

const reading = ["GET", "HEAD"];

/** Used as the stream's name if the right is needed on all streams. */
const everyStream = "*";

const fixedRoutes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/health", { methods: reading, handle: (_request, _caller, gateway) => health(gateway) }],
  ["/healthz", { methods: reading, handle: liveness }],
  ["/readyz", { methods: reading, handle: refreshed(readiness) }],
  ["/status", { methods: reading, right: "admin", handle: refreshed(status) }],
  ["/metrics", forAdmin(reading, (_request, gateway) => metrics(gateway))],
  ["/admin/reload", forAdmin(["POST"], (_request, gateway) => reload(gateway))],
  ["/admin/subscribers", forAdmin([...reading, "DELETE"], subscribers)],
  ["/admin/upstreams", forAdmin(reading, (_request, gateway) => listUpstreams(gateway))],
  ["/admin/history", forAdmin(reading, showHistory)],
  ["/admin/nodes", forAdmin(reading, (_request, gateway) => listNodes(gateway))],
  ["/admin/doctor", forAdmin(reading, (_request, gateway) => runChecks(gateway))],
  ["/admin/config", forAdmin(reading, (_request, gateway) => showConfig(gateway))],
  ["/admin/deliveries", forAdmin(reading, (_request, gateway) => listDeliveries(gateway))],
  ["/tickets", { methods: ["POST"], right: "subscribe", otherRight: "proxy", handle: issueTicket }],
  ["/streams", { methods: reading, right: "subscribe", handle: (_, caller, gateway) => listStreams(gateway, caller) }],
]);

/** The part of a request that its route depends on. */
type RequestPlace = Pick<HttpRequest, "path" | "mount" | "isShared">;

/** The route of a path; `undefined` if the path does not belong to the gateway. */
export function findRoute(request: RequestPlace, gateway: GatewayContext): Route | undefined {
  const { path } = request;
  const own = fixedRoutes.get(path) ?? defaultRoute(path, gateway) ?? streamRoute(path) ?? adminRoute(path);
  const configured = own ?? webhookRoute(path, gateway) ?? findDashboard(path, gateway, false);
  return configured ?? gateway.forwarded(path) ?? shortRoute(request, gateway);
}

/**
 * The route of the dashboard. One that is served by default comes after everything that is configured, so that it hides
 * no path of the user's.
 */
export function findDashboard(path: string, gateway: GatewayContext, isDefault: boolean): Route | undefined {
  return gateway.policy.dashboard?.isDefault === isDefault ? gateway.dashboard(path) : undefined;
}

/** The route by which requests for a path of the gateway's own server are passed on to another server, if they are. */
export function findForwarded(path: string, gateway: GatewayContext): Route | undefined {
  try {
    const route = findRoute({ path, mount: "" }, gateway);
    return route?.forwards === undefined ? undefined : route;
  } catch {
    // The path is one of a stream, but malformed.
    return undefined;
  }
}

/** The route of the root; `undefined` if the root belongs to the embedding program. */
export function findHome(request: HttpRequest): Route | undefined {
  const { path, mount, isShared } = request;
  if ((path !== "/" && path !== "") || (isShared && mount === "")) return undefined;
  if (!wantsJson(request)) return { methods: reading, handle: home };
  return { methods: reading, identifies: true, handle: (_, caller, gateway) => homeFacts(request, gateway, caller) };
}

/** A route that needs the right `admin` on all streams. */
function forAdmin(
  methods: readonly string[],
  handle: (request: HttpRequest, gateway: GatewayContext, caller: Caller) => Promise<HttpResponse>,
): Route {
  return {
    methods,
    right: "admin",
    stream: everyStream,
    handle: (request, caller, gateway) => handle(request, gateway, caller),
  };
}

function subscribers(request: HttpRequest, gateway: GatewayContext): Promise<HttpResponse> {
  return request.method === "DELETE" ? endSubscribers(request, gateway) : listSubscribers(request, gateway);
}

/** A handler that first updates the data from the other processes. */
function refreshed(answer: (gateway: GatewayContext, caller: Caller) => HttpResponse): Route["handle"] {
  return async (_request, caller, gateway) => {
    await gateway.refresh?.();
    return answer(gateway, caller);
  };
}

/** The routes `/api/…` of the default stream. */
function defaultRoute(path: string, { streams, default: served }: GatewayContext): Route | undefined {
  if (streams.size === 0) return undefined;
  const stream = served?.name;
  const route = { methods: reading, right: "subscribe", stream } as const;
  switch (path) {
    case "/api/sse":
      return subscription(stream, undefined, defaultStream);
    case "/api/status":
      return { ...route, handle: refreshed((gateway, caller) => simpleStatus(defaultStream(gateway), caller)) };
    case "/api/metrics":
      return { ...route, handle: refreshed((gateway) => simpleMetrics(defaultStream(gateway))) };
    default:
      return undefined;
  }
}

/** The routes `/streams/<name>`, `/streams/<name>/events` (publish) and `/streams/<name>/<channel>`. */
function streamRoute(path: string): Route | undefined {
  const match = /^\/streams\/([^/]+)(?:\/([^/]+))?\/?$/.exec(path);
  if (!match) return undefined;
  const stream = decode(match[1]!);
  const find: FindStream = (gateway, caller) => findStream(stream, gateway, caller);
  if (match[2] !== "events") return subscription(stream, match[2] && decode(match[2]), find);
  return publication(stream, find, readEvents);
}

/** The route `/webhooks/<name>` of a stream that accepts webhooks. */
function webhookRoute(path: string, { policy }: GatewayContext): Route | undefined {
  const [, stream = ""] = /^\/webhooks\/([^/]+)\/?$/.exec(path) ?? [];
  const webhook = policy.webhooks.get(stream);
  return (
    webhook && {
      methods: ["POST"],
      handle: async (request, caller, gateway) =>
        receiveWebhook(request, await findStream(stream, gateway, caller), webhook, gateway),
    }
  );
}

/**
 * The short paths `/events`, `/events/<topics>` and `/publish` of the default stream, which clients of many tutorials use. They
 * are usual names for an application's own paths, so they come last, and a program with the gateway at its root keeps
 * them.
 */
function shortRoute({ path, mount, isShared }: RequestPlace, gateway: GatewayContext): Route | undefined {
  if (gateway.streams.size === 0 || (isShared && mount === "")) return undefined;
  const stream = gateway.default?.name;
  if (path === "/publish") return publication(stream, defaultStream, readAnyJson);
  const match = /^\/events(?:\/([^/]+))?\/?$/.exec(path);
  return match ? subscription(stream, match[1] && channelsOf(decode(match[1])), defaultStream) : undefined;
}

/** `all` means every event, also together with other topics. */
function channelsOf(topics: string): string | undefined {
  return topics.split(",").includes("all") ? undefined : topics;
}

function publication(stream: string | undefined, find: FindStream, read: EventReader): Route {
  return {
    methods: ["POST"],
    right: "publish",
    stream,
    handle: async (request, caller, gateway) => publish(request, await find(gateway, caller), caller, gateway, read),
  };
}

/** The routes `/admin/subscribers/<client>`, `/admin/subscribers/<client>/events` and those of a delivery. */
function adminRoute(path: string): Route | undefined {
  const [, client, events] = /^\/admin\/subscribers\/([^/]+)(\/events)?$/.exec(path) ?? [];
  if (client === undefined) return deliveryRoute(path);
  if (!events) return forAdmin(["DELETE"], (_request, gateway) => endSubscriber(decode(client), gateway));
  return forAdmin(["POST"], (request, gateway, caller) => sendToSubscriber(decode(client), request, caller, gateway));
}

/** The routes `/admin/deliveries/<name>` and `/admin/deliveries/<name>/<command>`. */
function deliveryRoute(path: string): Route | undefined {
  const [, segment, command] = /^\/admin\/deliveries\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  if (segment === undefined) return undefined;
  const name = decode(segment);
  if (command === undefined) return forAdmin(reading, (_request, gateway) => showDelivery(name, gateway));
  if (!isDeliveryCommand(command)) return undefined;
  return forAdmin(["POST"], (_request, gateway) => commandDelivery(name, command, gateway));
}

function subscription(stream: string | undefined, channel: string | undefined, find: FindStream): Route {
  return {
    methods: reading,
    right: "subscribe",
    stream,
    subscribes: true,
    handle: async (request, caller, gateway) =>
      subscribe(request, await find(gateway, caller), channel, caller, gateway),
  };
}

/** Finds the stream of a route. One that is made on demand is made for the caller. */
type FindStream = (gateway: GatewayContext, caller: Caller) => ServedStream | Promise<ServedStream>;

function findStream(
  name: string,
  { streams, onDemand }: GatewayContext,
  { identity, address }: Caller,
): ServedStream | Promise<ServedStream> {
  const stream = streams.get(name) ?? onDemand.obtain(name, { subject: identity.subject, address });
  if (stream) return stream;
  const hint = "no stream has this name: GET /streams lists the streams";
  throw new SpillwayError("stream-unknown", hint, { field: "stream", got: name.slice(0, 100) });
}

function defaultStream(gateway: GatewayContext): ServedStream {
  if (gateway.default) return gateway.default;
  const message =
    "the gateway serves several streams and none is the default: use /streams/<name>, or set `default` in its configuration";
  throw new SpillwayError("not-found", message, { field: "default" });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SpillwayError("request-invalid", "the path is not percent-encoded UTF-8", { field: "path" });
  }
}

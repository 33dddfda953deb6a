import { SpillwayError } from "../errors.ts";
import type { Caller, GatewayContext, Policy, Route } from "../http/gateway-context.ts";
import type { RoutesStatus } from "../http/gateway-status.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { subscribe } from "../http/subscribe.ts";
import type { HeaderRules, Routes } from "../proxy/options.ts";
import { createProxy, type ProxyRoute } from "../proxy/proxy.ts";
import { resumeParameter, toSharedRequest } from "../proxy/shared-request.ts";
import type { Logger } from "../util/logger.ts";
import type { SharedStreams } from "./shared-streams.ts";

/** The proxied routes, as the HTTP layer sees them. */
export interface Forwarding {
  readonly forwarded: GatewayContext["forwarded"];
  readonly hasRoute: GatewayContext["hasRoute"];
  /** The state of the routes in this process. */
  stats(): RoutesStatus;
  /** Applies other routes. Requests in progress are not affected. */
  apply(routes: Routes): void;
  /** Resolves when no request is in progress; those that are after `grace` ms are cut. */
  close(grace: number): Promise<void>;
}

/** Creates the forwarding of these routes under the current policy. */
export function createForwarding(
  routes: Routes,
  policy: () => Policy,
  shared: SharedStreams,
  logger: Logger,
): Forwarding {
  const proxy = createProxy(routes, logger);
  return {
    forwarded(path) {
      const route = proxy.find(path);
      return route && toRoute(route, policy, shared);
    },
    hasRoute: (name) => proxy.routes.has(name),
    stats: () => Object.fromEntries(Array.from(proxy.routes, ([name, route]) => [name, statusOf(route, shared)])),
    apply(next) {
      proxy.apply(next);
      shared.apply(proxy.routes);
    },
    close: (grace) => proxy.close(grace),
  };
}

function statusOf(route: ProxyRoute, shared: SharedStreams): RoutesStatus[string] {
  return { ...route.stats(), ...(route.options.share && { shared: shared.status(route.name) }) };
}

function toRoute(route: ProxyRoute, policy: () => Policy, shared: SharedStreams): Route {
  const { access, share } = route.options;
  return {
    methods: "any",
    forwards: route.name,
    ...(access === "required" && { right: "proxy" }),
    async handle(request, caller, gateway) {
      if (gateway.draining) throw new SpillwayError("shutting-down");
      const { isTrusted, cors, cookie } = policy();
      const response = share && (await subscribeShared(request, route, caller, gateway, shared));
      if (response) return response;
      const { ticket } = caller.identity;
      // No session ends when the ticket is used again: the number is below that of all sessions.
      if (ticket !== undefined) gateway.tickets.use(ticket, 0);
      return route.handle(request, caller, {
        peer: request.address,
        isTrusted: isTrusted(request),
        cookie,
        hasCors: cors.isConfigured,
      });
    },
  };
}

/** The response to a request that is shared; `undefined` if it must be forwarded for its client alone. */
async function subscribeShared(
  request: HttpRequest,
  route: ProxyRoute,
  { identity }: Caller,
  gateway: GatewayContext,
  streams: SharedStreams,
): Promise<HttpResponse | undefined> {
  const { share, headers } = route.options;
  const { cookie, addressOf } = gateway.policy;
  const shared = share && toSharedRequest(request, route.options, share, cookie);
  if (!shared) return undefined;
  // A route with `access: none` does not identify its callers.
  const caller = { identity, address: addressOf(request) };
  const found = await streams.obtain(route, share, shared, caller);
  if (!found) return undefined;
  const query = positionQuery(request, found.from);
  const response = await subscribe(request, found.stream, undefined, caller, gateway, query);
  return { ...response, headers: withRules(response.headers, headers.response) };
}

/** Where the client starts. All other parameters are the target's. */
function positionQuery({ query }: HttpRequest, from: string | undefined): URLSearchParams {
  const id = query.get(resumeParameter);
  return new URLSearchParams({
    ...(id !== null && { [resumeParameter]: id }),
    ...(from !== undefined && { after: from }),
  });
}

function withRules(headers: HttpResponse["headers"], { set, remove }: HeaderRules): HttpResponse["headers"] {
  const changed = new Set([...remove, ...Object.keys(set)]);
  const kept = Object.entries(headers).filter(([name]) => !changed.has(name.toLowerCase()));
  return { ...Object.fromEntries(kept), ...set };
}

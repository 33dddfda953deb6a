import { SpillwayError } from "../errors.ts";
import type { Caller, GatewayContext, Policy, Route } from "../http/gateway-context.ts";
import type { RoutesStatus } from "../http/gateway-status.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { subscribe } from "../http/subscribe.ts";
import type { HeaderRules, Routes } from "../proxy/options.ts";
import { createProxy, type ProxyRoute } from "../proxy/proxy.ts";
import { resumeParameter, toSharedRequest } from "../proxy/shared-request.ts";
import type { RelayFacts } from "../proxy/attempt.ts";
import type { GatewayParts } from "./create-context.ts";
import type { GatewayOptions } from "./options.ts";
import { createRunRoutes } from "./run-routes.ts";
import type { SharedStreams } from "./shared-streams.ts";

/** The proxied routes, as the HTTP layer sees them. */
export interface Forwarding {
  readonly forwarded: GatewayContext["forwarded"];
  readonly hasRoute: GatewayContext["hasRoute"];
  /** The state of the routes in this process. */
  stats(): RoutesStatus;
  /** Applies other routes and runs. Requests in progress are not affected. */
  apply(options: GatewayOptions): Promise<void>;
  /** Resolves when no request is in progress; those that are after `grace` ms are cut. */
  close(grace: number): Promise<void>;
}

/** What is forwarded. */
type Forwarded = Pick<GatewayOptions, "routes" | "runs">;

/** Creates the forwarding of these routes and runs under the current policy. */
export function createForwarding(
  initial: Forwarded,
  policy: () => Policy,
  { shared, runs, logger }: Pick<GatewayParts, "shared" | "runs" | "logger">,
): Forwarding {
  let options = initial;
  const proxy = createProxy(routesOf(options), logger);
  const factsOf = (request: HttpRequest): RelayFacts => {
    const { isTrusted, cors, cookie } = policy();
    return { peer: request.address, isTrusted: isTrusted(request), cookie, hasCors: cors.isConfigured };
  };
  const findRun = createRunRoutes({ proxy, runs, options: () => options.runs, factsOf });
  const statusOf = (route: ProxyRoute): RoutesStatus[string] => {
    const counts = route.name in options.runs ? runs.counts(route.name) : undefined;
    const { share } = route.options;
    return { ...route.stats(), ...(share && { shared: shared.status(route.name) }), ...(counts && { runs: counts }) };
  };
  return {
    forwarded(path) {
      const route = proxy.find(path);
      return findRun(path, route) ?? (route && toRoute(route, factsOf, shared));
    },
    hasRoute: (name) => proxy.routes.has(name),
    stats: () => Object.fromEntries(Array.from(proxy.routes, ([name, route]) => [name, statusOf(route)])),
    apply(next) {
      options = next;
      proxy.apply(routesOf(next));
      shared.apply(proxy.routes);
      return runs.apply(next);
    },
    close: async (grace) => void (await Promise.all([runs.close(grace), proxy.close(grace)])),
  };
}

/** How the requests of routes and runs are forwarded. */
function routesOf({ routes, runs }: Forwarded): Routes {
  return { ...routes, ...Object.fromEntries(Object.entries(runs).map(([name, { route }]) => [name, route])) };
}

function toRoute(route: ProxyRoute, factsOf: (request: HttpRequest) => RelayFacts, shared: SharedStreams): Route {
  const { access, share } = route.options;
  return {
    methods: "any",
    forwards: route.name,
    ...(access === "required" && { right: "proxy" }),
    async handle(request, caller, gateway) {
      if (gateway.draining) throw new SpillwayError("shutting-down");
      const response = share && (await subscribeShared(request, route, caller, gateway, shared));
      if (response) return response;
      const { ticket } = caller.identity;
      // No session ends when the ticket is used again: the number is below that of all sessions.
      if (ticket !== undefined) gateway.tickets.use(ticket, 0);
      return route.handle(request, caller, factsOf(request));
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

import type { GatewayContext, Policy, Route } from "../http/gateway-context.ts";
import type { RoutesStatus } from "../http/gateway-status.ts";
import { createProxy, type ProxyRoute } from "../proxy/proxy.ts";
import type { Routes } from "../proxy/options.ts";
import type { Logger } from "../util/logger.ts";

/** The proxied routes, as the HTTP layer sees them. */
export interface Forwarding {
  readonly forwarded: GatewayContext["forwarded"];
  /** The state of the routes in this process. */
  stats(): RoutesStatus;
  /** Applies other routes. Requests in progress are not affected. */
  apply(routes: Routes): void;
  /** Resolves when no request is in progress; those that are after `grace` ms are cut. */
  close(grace: number): Promise<void>;
}

/** Creates the forwarding of these routes under the current policy. */
export function createForwarding(routes: Routes, policy: () => Policy, logger: Logger): Forwarding {
  const proxy = createProxy(routes, logger);
  return {
    forwarded(path) {
      const route = proxy.find(path);
      return route && toRoute(route, policy);
    },
    stats: () => Object.fromEntries(Array.from(proxy.routes, ([name, route]) => [name, route.stats()])),
    apply: (next) => proxy.apply(next),
    close: (grace) => proxy.close(grace),
  };
}

function toRoute({ name, options: { access }, handle }: ProxyRoute, policy: () => Policy): Route {
  return {
    methods: "any",
    forwards: name,
    ...(access === "required" && { right: "proxy" }),
    handle(request, caller) {
      const { isTrusted, cors, cookie } = policy();
      return handle(request, caller, {
        peer: request.address,
        isTrusted: isTrusted(request),
        cookie,
        hasCors: cors.isConfigured,
      });
    },
  };
}

import { createGateway, type Gateway, type GatewayConfig, type RouteConfig } from "spillway";

/** What a test changes of a route. */
export interface RouteChanges extends Partial<Omit<RouteConfig, "upstream">> {
  readonly upstream?: Partial<RouteConfig["upstream"]>;
}

/** A route to these targets, in turn, which anybody may use, without ejections and retries. */
export function routeTo(urls: readonly string[], { upstream, ...changes }: RouteChanges = {}): RouteConfig {
  return {
    upstream: {
      urls,
      eject: { errors: "none" },
      connections: 10_000,
      retry: { attempts: 0 },
      ...upstream,
    },
    access: "none",
    // Tests end their side to find out where the gateway ends its own.
    halfClose: "wait",
    ...changes,
  };
}

/** Opens a gateway with these routes and one stream; it takes any Host. */
export function openRoutes(
  routes: Readonly<Record<string, RouteConfig>>,
  config: Omit<GatewayConfig, "store" | "routes"> = {},
): Promise<Gateway> {
  return createGateway({
    listen: "127.0.0.1:0",
    hosts: ["*"],
    streams: { s: {} },
    ...config,
    routes,
    store: "memory:",
  });
}

import { openGateway, type CreateGatewayConfig } from "../../src/config/create-gateway.ts";
import { resolveConfig } from "../../src/config/resolve.ts";
import type { Gateway } from "../../src/gateway/gateway.ts";
import type { RouteOptions, RouteUpstreamOptions } from "../../src/proxy/options.ts";

/** What a test changes of a route. */
export interface RouteChanges extends Partial<Omit<RouteOptions, "upstream">> {
  readonly upstream?: Partial<RouteUpstreamOptions>;
}

const rules = { set: {}, remove: [] };

/** A route to these targets, in turn, with nothing changed on the way and no retries. */
export function routeTo(urls: readonly string[], { upstream, ...changes }: RouteChanges = {}): RouteOptions {
  return {
    upstream: {
      targets: urls.map((url, index) => ({ name: `target-${index + 1}`, url, weight: 1 })),
      balance: "round-robin",
      health: undefined,
      eject: undefined,
      slowStart: 0,
      connections: 10_000,
      queue: { length: 100, for: 1000 },
      retry: { attempts: 0, on: [], budget: 0.2 },
      timeouts: { connect: 5000, headers: 30_000, idle: 90_000 },
      tls: undefined,
      http2: false,
      ...upstream,
    },
    access: "none",
    path: { strip: "", prepend: "" },
    host: "target",
    headers: { request: rules, response: rules },
    forwarded: "x-forwarded",
    credential: "keep",
    websocket: false,
    // Tests end their side to find out where the gateway ends its own.
    halfClose: "wait",
    transform: undefined,
    heartbeat: undefined,
    share: undefined,
    ...changes,
  };
}

/** Opens a gateway with these routes and no streams; it takes any Host. */
export async function openRoutes(
  routes: Readonly<Record<string, RouteOptions>>,
  config: Omit<CreateGatewayConfig, "store"> = {},
): Promise<Gateway> {
  const options = resolveConfig({
    listen: "127.0.0.1:0",
    hosts: ["*"],
    streams: { s: {} },
    ...config,
    store: "memory:",
  });
  return openGateway({ ...options, routes });
}

/** `spillway/next`: a gateway in a Next.js application, in a route handler of the App Router. */
import type { CreateGatewayConfig } from "../../config/create-gateway.ts";
import { createLazyGateway, type LazyGateway, type LazyGatewayRuntime } from "../../config/create-lazy-gateway.ts";
import type { HandlerOptions } from "../../http/message.ts";
import { closeAtSignals } from "./signals.ts";

/** Options of {@link createRoute}. `grant` can use `cookies()` and `headers()` of `next/headers`. */
export interface RouteOptions extends LazyGatewayRuntime, HandlerOptions<Request> {
  /** The path of the route without its catch-all segment, with the `basePath` of the application: `/live`. */
  readonly mount: string;
  /**
   * The client's address, for limits: from the header that the proxy in front of the application sets. Default: unknown,
   * and the limits per address do not apply.
   */
  readonly address?: ((request: Request) => string | undefined) | undefined;
}

/** The content types of subscriptions. */
const streams = /^(?:text\/event-stream|application\/x-ndjson)/;

/** A handler of a route. */
export type RouteHandler = (request: Request) => Promise<Response>;

/** The handlers of the route `[...path]/route.js`, by method, and the gateway. */
export interface SpillwayRoute {
  readonly GET: RouteHandler;
  readonly HEAD: RouteHandler;
  readonly OPTIONS: RouteHandler;
  readonly POST: RouteHandler;
  readonly PUT: RouteHandler;
  readonly PATCH: RouteHandler;
  readonly DELETE: RouteHandler;
  /** For other routes, server actions and components: to publish, or to follow a stream. */
  readonly gateway: LazyGateway;
}

/**
 * Makes the handlers of a route, and a gateway that is opened at its first use: not while the application is built. All
 * copies of the module in the process share it, and a changed configuration replaces it. It is drained and closed at
 * SIGTERM and SIGINT.
 *
 * @param config a function is called when the gateway is opened, so environment variables are not needed for the build
 */
export function createRoute(
  config: CreateGatewayConfig | (() => CreateGatewayConfig),
  { mount, grant, maxDuration, address, ...runtime }: RouteOptions,
): SpillwayRoute {
  const gateway = createLazyGateway(config, runtime);

  async function handle(request: Request): Promise<Response> {
    closeAtSignals(gateway, runtime.name);
    const response = await gateway.fetch(request, { mount, grant, maxDuration, address: address?.(request) });
    // Next.js waits until all connections are closed, and does not close one that becomes idle while it stops.
    if (streams.test(response.headers.get("content-type") ?? "")) response.headers.set("connection", "close");
    return response;
  }

  return {
    GET: handle,
    HEAD: handle,
    OPTIONS: handle,
    POST: handle,
    PUT: handle,
    PATCH: handle,
    DELETE: handle,
    gateway,
  };
}

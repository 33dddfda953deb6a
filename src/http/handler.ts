import { refuseCredentialsInUrl } from "../access/credentials.ts";
import { permits } from "../access/identity.ts";
import type { CorsOptions } from "../access/options.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { Caller, Cors, GatewayContext, Route } from "./gateway-context.ts";
import type { HttpBody, HttpHeaders, HttpRequest, HttpResponse } from "./message.ts";
import { problem } from "./problem.ts";
import { findDashboard, findHome, findRoute } from "./routes.ts";

/**
 * Answers a request; `undefined` if the path does not belong to the gateway.
 * @param route the route of the request's path, if it is known already
 */
export type HttpHandler = (request: HttpRequest, route?: Route) => Promise<HttpResponse | undefined>;

/** Which paths a handler serves: those of a gateway inside another server, or all paths of its own server. */
export type HandlerOf = "gateway" | "own server";

/**
 * Creates the handler of a gateway, which finds the route, checks method and right, and turns errors into problem
 * responses.
 */
export function createHandler(gateway: GatewayContext, of: HandlerOf = "gateway"): HttpHandler {
  return async (request, found) => {
    const { cors, files } = gateway.policy;
    try {
      const known = found ?? findRoute(request, gateway);
      const received = known || of === "own server" ? receive(request, known, of, gateway) : undefined;
      if (received) await received;
      const file = known ? undefined : await files?.(request);
      if (file) return file;
      const route =
        known ?? findHome(request) ?? (of === "own server" ? findDashboard(request.path, gateway, true) : undefined);
      return route && withHeaders(await answer(route, request, gateway), cors.headers(request.header("origin")));
    } catch (error) {
      return withHeaders(refuse(error, request, gateway), cors.headers(request.header("origin")));
    }
  };
}

/** The health checks of monitoring and orchestration. They are exempt from the host check and from rate limits. */
const probes: ReadonlySet<string> = new Set(["/health", "/healthz", "/readyz"]);

/** Checks the host and the rate limits, before authentication and any other work. */
function receive(
  request: HttpRequest,
  route: Route | undefined,
  of: HandlerOf,
  { policy, admission }: GatewayContext,
): void | Promise<void> {
  if (probes.has(request.path)) return;
  if (of === "own server") policy.checkHost(request);
  return admission.arrive({ address: policy.addressOf(request), subscribes: route?.subscribes === true });
}

function refuse(error: unknown, request: HttpRequest, gateway: GatewayContext): HttpResponse {
  const { method, path } = request;
  if (error instanceof SpillwayError) {
    noteRefusal(gateway, error.code, { method, path, address: gateway.policy.addressOf(request) });
    // An `AbortError` means that the client has disconnected while it waited, which is not an error of the gateway.
  } else if ((error as Error).name !== "AbortError") gateway.logger.error({ err: error }, "request failed");
  return problem(error);
}

/** Counts a refusal by its error code and logs it at `debug`. */
export function noteRefusal(
  { refused, logger }: Pick<GatewayContext, "refused" | "logger">,
  code: ErrorCode,
  facts = {},
): void {
  refused[code] = (refused[code] ?? 0) + 1;
  logger.debug({ code, ...facts }, "request refused");
}

/** Adds headers to a response. Both values of `Vary` are kept. */
function withHeaders(response: HttpResponse, added: HttpHeaders): HttpResponse {
  if (Object.keys(added).length === 0) return response;
  const { Vary: known } = response.headers;
  const vary =
    known !== undefined && added["Vary"] !== undefined ? { Vary: [known, added["Vary"]].flat().join(", ") } : {};
  return { ...response, headers: { ...response.headers, ...added, ...vary } };
}

async function answer(route: Route, request: HttpRequest, gateway: GatewayContext): Promise<HttpResponse> {
  const { methods } = route;
  const refusal = methods === "any" ? checkForwarded(request, gateway) : checkMethod(request, methods, gateway);
  if (refusal) return refusal;
  if (!route.right) {
    return route.handle(request, route.identifies ? await identify(route, request, gateway) : unidentified, gateway);
  }
  const { policy } = gateway;
  const caller = await identify(route, request, gateway);
  // The policy has changed during the identification: a new stream must not be served under the old policy.
  if (gateway.policy !== policy) return answer(route, request, gateway);
  assertPermitted(route, caller, gateway);
  if (gateway.closing) throw new SpillwayError("shutting-down");
  return route.handle(request, caller, gateway);
}

/** The response to a method that the resource does not support, and to OPTIONS. */
function checkMethod(
  request: HttpRequest,
  methods: readonly string[],
  gateway: GatewayContext,
): HttpResponse | undefined {
  const allow = [...methods, "OPTIONS"].join(", ");
  if (request.method === "OPTIONS") return gateway.policy.cors.preflight(request.header("origin"), allow);
  refuseCredentialsInUrl(request.query);
  if (!methods.includes(request.method)) {
    const hint =
      request.method === "POST"
        ? "this resource does not support POST: publish events at /streams/<name>/events"
        : undefined;
    return problem(new SpillwayError("method-not-allowed", hint, { expected: allow }), {}, { Allow: allow });
  }
  return undefined;
}

/** The methods in `Allow` and in preflight responses; the target may refuse some of them. */
const forwardable = "GET, HEAD, POST, PUT, PATCH, DELETE";

/** The response to methods that are never forwarded, and to preflight requests if CORS is configured. */
function checkForwarded(request: HttpRequest, { policy }: GatewayContext): HttpResponse | undefined {
  const { method } = request;
  // TRACE would expose the headers that the gateway adds, and CONNECT would open a tunnel.
  if (method === "TRACE" || method === "CONNECT")
    return problem(new SpillwayError("method-not-allowed"), {}, { Allow: forwardable });
  const isPreflight = method === "OPTIONS" && request.header("access-control-request-method") !== undefined;
  return isPreflight && policy.cors.isConfigured
    ? policy.cors.preflight(request.header("origin"), forwardable)
    : undefined;
}

/** The caller of public routes, which do not depend on it. */
const unidentified: Caller = {
  identity: { subject: "anonymous", grant: { can: [] }, recognized: { by: "anonymous" } },
  address: undefined,
};

async function identify(
  { stream, forwards }: Route,
  request: HttpRequest,
  { policy }: GatewayContext,
): Promise<Caller> {
  const found = policy.access.identify(request, forwards ?? stream);
  const identity = found instanceof Promise ? await found : found;
  return { identity, address: policy.addressOf(request) };
}

function assertPermitted(route: Route, { identity }: Caller, { policy }: GatewayContext): void {
  const { right, otherRight, stream, forwards } = route;
  if (permits(identity.grant, right!, forwards ?? stream)) return;
  if (otherRight && permits(identity.grant, otherRight)) return;
  if (identity.recognized.by === "anonymous" && policy.access.takesCredentials) {
    throw new SpillwayError("credential-required", `this needs the right "${right}"`);
  }
  const scope = forwards !== undefined ? " for the route" : stream !== undefined ? " for the stream" : "";
  throw new SpillwayError("access-denied", `this needs the right "${right}"${scope} (config: access)`);
}

const requestHeaders = "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, Cache-Control";
const exposed = "Spillway-Resume, Spillway-Run, Retry-After, Idempotency-Replayed";

/** Creates the CORS rules from the configured allow-list. Only an origin on the list is returned in a header. */
export function createCors({ origins, credentials, maxAge }: CorsOptions): Cors {
  if (origins.length === 0) return { isConfigured: false, headers: () => ({}), preflight: (_, allow) => plain(allow) };
  const everyone = origins.includes("*");
  const known: ReadonlySet<string> = new Set(origins);
  // The response depends on the origin even if the origin is refused, so caches always need `Vary`.
  const vary: HttpHeaders = everyone ? {} : { Vary: "Origin" };
  const sharing: HttpHeaders = {
    ...vary,
    "Access-Control-Expose-Headers": exposed,
    ...(credentials ? { "Access-Control-Allow-Credentials": "true" } : {}),
  };
  const allowed = (origin: string | undefined): string | undefined =>
    origin !== undefined && (everyone || known.has(origin)) ? (everyone ? "*" : origin) : undefined;

  return {
    isConfigured: true,
    headers(origin) {
      const name = allowed(origin);
      return name === undefined ? vary : { ...sharing, "Access-Control-Allow-Origin": name };
    },
    preflight(origin, allow) {
      if (allowed(origin) === undefined) return plain(allow);
      return plain(allow, {
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": requestHeaders,
        "Access-Control-Max-Age": String(Math.round(maxAge / 1000)),
      });
    },
  };
}

function plain(allow: string, headers: HttpHeaders = {}): HttpBody {
  return { status: 204, headers: { Allow: allow, ...headers } };
}

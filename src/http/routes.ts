import { refuseCredentialsInUrl } from "../access/credentials.ts";
import { permits, type Right } from "../access/identity.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import { endSubscribers, reload } from "./admin.ts";
import { home, homeFacts, wantsJson } from "./home.ts";
import type { HttpHeaders, HttpRequest, HttpResponse } from "./message.ts";
import { problem } from "./problem.ts";
import { publish } from "./publish.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import { health, listStreams, liveness, metrics, readiness, simpleMetrics, simpleStatus, status } from "./status.ts";
import { subscribe } from "./subscribe.ts";
import { issueTicket } from "./tickets.ts";

/** Answers a request; `undefined` if the path does not belong to the gateway. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse | undefined>;

interface Route {
  readonly methods: readonly string[];
  /** The right a caller needs; absent for public routes. */
  readonly right?: Right;
  /** The stream that the right is needed for; absent where the right on any stream is enough. */
  readonly stream?: string | undefined;
  /** Whether it answers with a subscription. */
  readonly subscribes?: boolean;
  handle(request: HttpRequest, caller: Caller): HttpResponse | Promise<HttpResponse>;
}

const reading = ["GET", "HEAD"];

/** In the place of a stream's name: the right is needed for all of them. */
const everyStream = "*";

/** Which paths a handler serves: those of a gateway inside another server, or all paths of its own server. */
export type HandlerOf = "gateway" | "own server";

/** Makes the handler of a gateway: finds the route, checks method and right, turns errors into problems. */
export function createHandler(gateway: GatewayContext, of: HandlerOf = "gateway"): HttpHandler {
  return async (request) => {
    const { cors, files } = gateway.policy;
    try {
      const known = findRoute(request.path, gateway);
      const received = known || of === "own server" ? receive(request, known, of, gateway) : undefined;
      if (received) await received;
      const file = known ? undefined : await files?.(request);
      if (file) return file;
      const route = known ?? homeRoute(request, gateway);
      return route && withHeaders(await answer(route, request, gateway), cors.headers(request.header("origin")));
    } catch (error) {
      return withHeaders(refuse(error, request, gateway), cors.headers(request.header("origin")));
    }
  };
}

/** What monitoring and orchestration ask for, by whatever name or address, and are answered whatever the limits say. */
const probes: ReadonlySet<string> = new Set(["/health", "/healthz", "/readyz"]);

/** The checks before authentication, and before any work is done for a request. */
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
    // A client that left while it waited is no fault, and does not read the answer.
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

/** Adds headers to an answer; of `Vary` both count. */
function withHeaders(response: HttpResponse, added: HttpHeaders): HttpResponse {
  if (Object.keys(added).length === 0) return response;
  const { Vary: known } = response.headers;
  const vary = known !== undefined && added["Vary"] !== undefined ? { Vary: `${known}, ${added["Vary"]}` } : {};
  return { ...response, headers: { ...response.headers, ...added, ...vary } };
}

async function answer(route: Route, request: HttpRequest, gateway: GatewayContext): Promise<HttpResponse> {
  const allow = [...route.methods, "OPTIONS"].join(", ");
  if (request.method === "OPTIONS") return gateway.policy.cors.preflight(request.header("origin"), allow);
  refuseCredentialsInUrl(request.query);
  if (!route.methods.includes(request.method)) {
    const hint =
      request.method === "POST" ? "the resource does not take POST: events go to /streams/<name>/events" : undefined;
    return problem(new SpillwayError("method-not-allowed", hint, { expected: allow }), {}, { Allow: allow });
  }
  if (!route.right) return route.handle(request, nobody);
  const { policy } = gateway;
  const caller = await identify(route, request, gateway);
  // A stream that came with another policy meanwhile must not be served under the one of before.
  if (gateway.policy !== policy) return answer(route, request, gateway);
  assertPermitted(route, caller, gateway);
  if (gateway.closing) throw new SpillwayError("shutting-down");
  return route.handle(request, caller);
}

/** Public routes do not depend on the caller. */
const nobody: Caller = {
  identity: { subject: "anonymous", grant: { can: [] }, recognized: { by: "anonymous" } },
  address: undefined,
};

async function identify({ stream }: Route, request: HttpRequest, { policy }: GatewayContext): Promise<Caller> {
  const found = policy.access.identify(request, stream);
  const identity = found instanceof Promise ? await found : found;
  return { identity, address: policy.addressOf(request) };
}

function assertPermitted({ right, stream }: Route, { identity }: Caller, { policy }: GatewayContext): void {
  if (permits(identity.grant, right!, stream)) return;
  if (identity.recognized.by === "anonymous" && policy.access.takesCredentials) {
    throw new SpillwayError("credential-required", `this needs the right "${right}"`);
  }
  const what = stream === undefined ? `the right "${right}"` : `the right "${right}" for the stream`;
  throw new SpillwayError("access-denied", `this needs ${what} (config: access)`);
}

function findRoute(path: string, gateway: GatewayContext): Route | undefined {
  const fresh =
    (answerWith: (caller: Caller) => HttpResponse) =>
    async (_: HttpRequest, caller: Caller): Promise<HttpResponse> => {
      await gateway.refresh?.();
      return answerWith(caller);
    };
  switch (path) {
    case "/health":
      return { methods: reading, handle: () => health(gateway) };
    case "/healthz":
      return { methods: reading, handle: liveness };
    case "/readyz":
      return { methods: reading, handle: fresh(() => readiness(gateway)) };
    case "/status":
      return { methods: reading, right: "admin", handle: fresh((caller) => status(gateway, caller)) };
    case "/metrics":
      return { methods: reading, right: "admin", stream: everyStream, handle: () => metrics(gateway) };
    case "/admin/reload":
      return { methods: ["POST"], right: "admin", stream: everyStream, handle: () => reload(gateway) };
    case "/admin/subscribers":
      return {
        methods: ["DELETE"],
        right: "admin",
        stream: everyStream,
        handle: (request) => endSubscribers(request, gateway),
      };
    case "/tickets":
      return {
        methods: ["POST"],
        right: "subscribe",
        handle: (request, caller) => issueTicket(request, caller, gateway),
      };
    case "/streams":
      return { methods: reading, right: "subscribe", handle: (_, caller) => listStreams(gateway, caller) };
    case "/api/sse":
      return subscription(() => defaultStream(gateway), gateway.default?.name, undefined, gateway);
    case "/api/status":
      return ofDefault(gateway, simpleStatus, fresh);
    case "/api/metrics":
      return ofDefault(gateway, simpleMetrics, fresh);
    default:
      return streamRoute(path, gateway);
  }
}

/** The root, where it is not a program's own that the gateway is only a part of. */
function homeRoute(request: HttpRequest, gateway: GatewayContext): Route | undefined {
  const { path, mount, isShared } = request;
  if ((path !== "/" && path !== "") || (isShared && mount === "")) return undefined;
  const route: Route = {
    methods: reading,
    handle: async () =>
      wantsJson(request) ? homeFacts(request, gateway, await identify(route, request, gateway)) : home(),
  };
  return route;
}

function ofDefault(
  gateway: GatewayContext,
  describe: (stream: ServedStream, caller: Caller) => HttpResponse,
  fresh: (answerWith: (caller: Caller) => HttpResponse) => Route["handle"],
): Route {
  const stream = gateway.default?.name;
  return {
    methods: reading,
    right: "subscribe",
    stream,
    handle: fresh((caller) => describe(defaultStream(gateway), caller)),
  };
}

/** `/streams/<name>`, `/streams/<name>/events` (publish) and `/streams/<name>/<channel>`. */
function streamRoute(path: string, gateway: GatewayContext): Route | undefined {
  const match = /^\/streams\/([^/]+)(?:\/([^/]+))?\/?$/.exec(path);
  if (!match) return undefined;
  const stream = decode(match[1]!);
  const find = (): ServedStream => findStream(stream, gateway);
  if (match[2] === undefined) return subscription(find, stream, undefined, gateway);
  if (match[2] !== "events") return subscription(find, stream, decode(match[2]), gateway);
  return {
    methods: ["POST"],
    right: "publish",
    stream,
    handle: (request, caller) => publish(request, find(), caller, gateway),
  };
}

function findStream(name: string, { streams }: GatewayContext): ServedStream {
  const stream = streams.get(name);
  if (stream) return stream;
  const hint = "no stream of that name: GET /streams lists those there are";
  throw new SpillwayError("stream-unknown", hint, { field: "stream", got: name.slice(0, 100) });
}

function subscription(
  find: () => ServedStream,
  stream: string | undefined,
  channel: string | undefined,
  gateway: GatewayContext,
): Route {
  return {
    methods: reading,
    right: "subscribe",
    stream,
    subscribes: true,
    handle: (request, caller) => subscribe(request, find(), channel, caller, gateway),
  };
}

function defaultStream(gateway: GatewayContext): ServedStream {
  if (gateway.default) return gateway.default;
  throw new SpillwayError("not-found", "there are several streams and no default", { field: "default" });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SpillwayError("request-invalid", "the path is not percent-encoded UTF-8", { field: "path" });
  }
}

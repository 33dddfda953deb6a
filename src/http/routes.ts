import { SpillwayError } from "../errors.ts";
import type { HttpRequest, HttpResponse } from "./message.ts";
import { problem } from "./problem.ts";
import { publish } from "./publish.ts";
import type { Right, Served, ServedStream } from "./served.ts";
import { health, listStreams, readiness, simpleMetrics, simpleStatus, status } from "./status.ts";
import { subscribe } from "./subscribe.ts";

/** Answers a request; `undefined` if the path is none of ours. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse | undefined>;

interface Route {
  readonly methods: readonly string[];
  /** What a caller needs; absent where everyone may ask. */
  readonly right?: Right;
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

const reading = ["GET", "HEAD"];

/** Makes the handler of a gateway: finds the route, checks method and right, turns errors into problems. */
export function createHandler(served: Served): HttpHandler {
  return async (request) => {
    try {
      const route = findRoute(request.path, served);
      return route && (await answer(route, request, served));
    } catch (error) {
      if (!(error instanceof SpillwayError)) served.logger.error({ err: error }, "request failed");
      return problem(error);
    }
  };
}

async function answer(route: Route, request: HttpRequest, served: Served): Promise<HttpResponse> {
  const allow = [...route.methods, "OPTIONS"].join(", ");
  if (request.method === "OPTIONS") return { status: 204, headers: { Allow: allow } };
  if (!route.methods.includes(request.method)) {
    const hint =
      request.method === "POST" ? "the resource does not take POST: events go to /streams/<name>/events" : undefined;
    return problem(new SpillwayError("method-not-allowed", hint, { expected: allow }), {}, { Allow: allow });
  }
  if (route.right && !served.anonymous.includes(route.right)) {
    throw new SpillwayError("access-denied", `this needs the right "${route.right}" (config: access.anonymous)`);
  }
  if (served.closing && route.right) throw new SpillwayError("shutting-down");
  return route.handle(request);
}

function findRoute(path: string, served: Served): Route | undefined {
  const fresh = (answerWith: () => HttpResponse) => async (): Promise<HttpResponse> => {
    await served.refresh?.();
    return answerWith();
  };
  switch (path) {
    case "/health":
    case "/healthz":
      return { methods: reading, handle: health };
    case "/readyz":
      return { methods: reading, handle: fresh(() => readiness(served)) };
    case "/status":
      return { methods: reading, right: "admin", handle: fresh(() => status(served)) };
    case "/streams":
      return { methods: reading, right: "subscribe", handle: () => listStreams(served) };
    case "/api/sse":
      return subscription(() => defaultStream(served), undefined);
    case "/api/status":
      return { methods: reading, right: "subscribe", handle: fresh(() => simpleStatus(defaultStream(served))) };
    case "/api/metrics":
      return { methods: reading, right: "subscribe", handle: fresh(() => simpleMetrics(defaultStream(served))) };
    default:
      return streamRoute(path, served);
  }
}

/** `/streams/<name>`, `/streams/<name>/events` (publish) and `/streams/<name>/<channel>`. */
function streamRoute(path: string, served: Served): Route | undefined {
  const match = /^\/streams\/([^/]+)(?:\/([^/]+))?\/?$/.exec(path);
  if (!match) return undefined;
  const name = decode(match[1]!);
  const find = (): ServedStream => {
    const stream = served.streams.get(name);
    if (!stream)
      throw new SpillwayError("stream-unknown", "no stream of that name: GET /streams lists those there are", {
        field: "stream",
        got: name.slice(0, 100),
      });
    return stream;
  };
  if (match[2] === undefined) return subscription(find, undefined);
  if (match[2] !== "events") return subscription(find, decode(match[2]));
  return { methods: ["POST"], right: "publish", handle: (request) => publish(request, find(), served.bodyLimit) };
}

function subscription(find: () => ServedStream, channel: string | undefined): Route {
  return { methods: reading, right: "subscribe", handle: (request) => subscribe(request, find(), channel) };
}

function defaultStream(served: Served): ServedStream {
  if (served.default) return served.default;
  throw new SpillwayError("not-found", "there are several streams and no default", { field: "default" });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SpillwayError("request-invalid", "the path is not percent-encoded UTF-8", { field: "path" });
  }
}

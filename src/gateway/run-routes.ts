import { SpillwayError } from "../errors.ts";
import type { Caller, GatewayContext, Route } from "../http/gateway-context.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import type { RelayFacts } from "../proxy/attempt.ts";
import type { Proxy, ProxyRoute } from "../proxy/proxy.ts";
import type { Runs as RunsOptions } from "../runs/options.ts";
import { answerResponse, answerKeyed, answerRun } from "../runs/run-requests.ts";
import { startRun, type RunRoute } from "../runs/start-run.ts";
import type { OwnRuns } from "./own-runs.ts";

export interface RunRoutesDependencies {
  readonly proxy: Proxy;
  readonly runs: OwnRuns;
  options(): RunsOptions;
  factsOf(request: HttpRequest): RelayFacts;
}

/**
 * Finds the routes of runs: requests that start one, and those to runs that exist. The function takes a path and the
 * forwarded route that applies to it.
 */
export function createRunRoutes({
  proxy,
  runs,
  options,
  factsOf,
}: RunRoutesDependencies): (path: string, forwarded: ProxyRoute | undefined) => Route | undefined {
  function runsOf(route: ProxyRoute | undefined): RunRoute | undefined {
    const known = route && options()[route.name];
    return known && { proxy: route, options: known };
  }

  /** Any request for a path of a run route. */
  async function handle(
    route: RunRoute,
    request: HttpRequest,
    caller: Caller,
    gateway: GatewayContext,
  ): Promise<HttpResponse> {
    if (gateway.draining) throw new SpillwayError("shutting-down");
    const client = { request, caller, gateway };
    const facts = factsOf(request);
    const { proxy: target, options: run } = route;
    const [, id, cancel] =
      run.dialect === "openai" ? (/\/responses\/([\w-]+)(\/cancel)?$/.exec(request.path) ?? []) : [];
    const isStream = request.method === "GET" && request.query.get("stream") === "true";
    if (id !== undefined && (isStream || (cancel !== undefined && request.method === "POST"))) {
      const action = cancel === undefined ? "follow" : "cancel";
      const response = await answerResponse(id, action, client, await runs.open());
      if (response) return response;
    } else if (request.method === "POST") {
      return startRun(request, route, caller, gateway, await runs.open(), facts);
    }
    return target.handle(request, caller, facts);
  }

  /** A path whose last segments are a key and `stream`, on a route that has keys in its paths. */
  function findKeyed(path: string): { readonly route: RunRoute; readonly key: string } | undefined {
    const [, base, key] = /^(.+)\/([^/]+)\/stream$/.exec(path) ?? [];
    const route = base === undefined ? undefined : runsOf(proxy.find(base));
    return route?.options.rejoin ? { route, key: decode(key!) } : undefined;
  }

  return (path, forwarded) => {
    const [, id] = /^\/runs\/([^/]+)$/.exec(path) ?? [];
    if (id !== undefined && (runs.isUsed || (!forwarded && runs.mayHave(id)))) return byId(id, runs);
    const route = runsOf(forwarded);
    const keyed = findKeyed(path);
    const { proxy: named } = route ?? keyed?.route ?? {};
    if (!named) return undefined;
    return {
      methods: route ? "any" : keyedMethods,
      forwards: named.name,
      right: "proxy",
      async handle(request, caller, gateway) {
        if (!keyed || !keyedMethods.includes(request.method)) return handle(route!, request, caller, gateway);
        return answerKeyed(keyed.route, keyed.key, { request, caller, gateway }, await runs.open());
      },
    };
  };
}

const keyedMethods = ["GET", "DELETE"];

function byId(id: string, runs: OwnRuns): Route {
  return {
    methods: ["GET", "HEAD", "DELETE"],
    right: "proxy",
    handle: async (request, caller, gateway) => answerRun(id, { request, caller, gateway }, await runs.open()),
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

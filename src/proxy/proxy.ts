import type { Caller } from "../http/gateway-context.ts";
import type { RouteStatus } from "../http/gateway-status.ts";
import { SpillwayError } from "../errors.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { loadedTransform, loadTransform } from "../transform/load.ts";
import type { Transform } from "../transform/transform.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { monotonicMs } from "../util/durations.ts";
import type { RelayDependencies, RelayFacts } from "./attempt.ts";
import { createBalancer } from "./balancer.ts";
import { createEventFilters } from "./event-filters.ts";
import { startHealthChecks, type HealthChecks } from "./health.ts";
import { createIdleWatch } from "./idle-watch.ts";
import type { RouteOptions, Routes, RouteUpstreamOptions, TargetOptions } from "./options.ts";
import { createPatternTable, type PatternTable } from "./pattern.ts";
import { relay } from "./relay.ts";
import { createRetryBudget } from "./retry-budget.ts";
import { createRouteCounts, type RouteCounts } from "./route-counts.ts";
import { createTargetHealth } from "./target-health.ts";
import { createTarget, type Target } from "./target.ts";

/** A path, or many, whose requests are forwarded. */
export interface ProxyRoute {
  /** Its pattern, which grants name it by. */
  readonly name: string;
  readonly options: RouteOptions;
  readonly targets: readonly Target[];
  /** What changes its events; absent where they pass as they are. */
  readonly transform: Transform | undefined;
  /**
   * Forwards a request.
   * @throws {SpillwayError} `target-failed`, `target-timeout`, `target-unavailable`, `request-invalid`.
   */
  handle(request: HttpRequest, caller: Caller, facts: RelayFacts): Promise<HttpResponse>;
  /** The route in this process. */
  stats(): RouteStatus;
}

/** The routes of a gateway. */
export interface Proxy {
  /** The most specific route of a path. */
  find(path: string): ProxyRoute | undefined;
  readonly routes: ReadonlyMap<string, ProxyRoute>;
  /**
   * Takes other routes. Targets whose settings stay as they are keep their connections and health; requests under way
   * are not affected.
   */
  apply(routes: Routes): void;
  /** Resolves once no request is under way; those that are after `grace` ms are cut. */
  close(grace: number): Promise<void>;
}

/** A route with the parts that its successor may take over. */
interface OpenRoute extends ProxyRoute {
  readonly counts: RouteCounts;
  readonly members: readonly Member[];
}

/** A target with its health checks. */
interface Member {
  readonly target: Target;
  /** All settings that it depends on. */
  readonly settings: string;
  readonly checks: HealthChecks | undefined;
}

/**
 * Loads the modules of the routes, before the routes are used.
 * @throws {SpillwayError} `config-invalid`
 */
export async function loadTransforms(routes: Routes): Promise<void> {
  for (const [name, { transform }] of Object.entries(routes))
    if (transform) await loadTransform(transform.module, `routes.${name}.transform`);
}

/**
 * Makes the proxy of these routes, whose transforms are loaded. It connects to a target with the first request, or the
 * first health check.
 * @throws {SpillwayError} `config-invalid` if a transform is not loaded.
 */
export function createProxy(options: Routes, logger: Logger): Proxy {
  let routes: ReadonlyMap<string, OpenRoute> = new Map();
  let table: PatternTable<ProxyRoute> = { find: () => undefined };
  /** Targets of former routes, which may have requests. Their unused connections close by themselves. */
  const retired = new Set<Target>();

  function apply(next: Routes): void {
    const before = routes;
    routes = new Map(
      Object.entries(next).map(([name, route]) => {
        const known = before.get(name);
        return [name, known && isUnchanged(known, route) ? known : open(name, route, known, logger)];
      }),
    );
    table = createPatternTable(Object.fromEntries(routes));
    for (const target of retired) if (target.active + target.waiting === 0) retired.delete(target);
    const kept = new Set(Array.from(routes.values(), ({ members }) => members).flat());
    for (const member of Array.from(before.values(), ({ members }) => members).flat()) {
      if (kept.has(member)) continue;
      member.checks?.stop();
      retired.add(member.target);
    }
  }

  apply(options);
  return {
    find: (path) => table.find(path),
    get routes() {
      return routes;
    },
    apply,
    async close(grace) {
      const members = Array.from(routes.values(), (route) => route.members).flat();
      for (const { checks } of members) checks?.stop();
      await Promise.all([...members.map(({ target }) => target), ...retired].map((target) => target.close(grace)));
    },
  };
}

/** Also the module of the transform must be the same. */
function isUnchanged({ options, transform }: OpenRoute, next: RouteOptions): boolean {
  return transform === transformOf(next) && JSON.stringify(options) === JSON.stringify(next);
}

function transformOf({ transform }: RouteOptions): Transform | undefined {
  return transform && loadedTransform(transform.module);
}

/** @param before the route of this name until now, whose targets are kept if they can be */
function open(name: string, route: RouteOptions, before: OpenRoute | undefined, root: Logger): OpenRoute {
  const { upstream } = route;
  const transform = transformOf(route);
  const logger = withFields(root, { route: name });
  const counts = before?.counts ?? createRouteCounts();
  const members = upstream.targets.map((target) => openMember(target, upstream, before, logger));
  const targets = members.map(({ target }) => target);
  const balancer = createBalancer(targets, upstream, {
    onEject(target, duration) {
      counts.target(target.name).ejections++;
      logger.warn({ target: target.name, duration }, "target ejected");
    },
  });
  const dependencies: RelayDependencies = {
    route,
    balancer,
    budget: createRetryBudget(upstream.retry.budget),
    counts,
    heads: createIdleWatch(upstream.timeouts.headers),
    idle: createIdleWatch(upstream.timeouts.idle),
    filter: createEventFilters(name, route, transform, logger),
  };
  return {
    name,
    options: route,
    targets,
    counts,
    members,
    transform,
    async handle(request, caller, facts) {
      const { original } = request;
      if (!original) throw new SpillwayError("not-found");
      return relay(request, original, caller, facts, dependencies);
    },
    stats: () => ({
      ...counts.counts,
      targets: Object.fromEntries(
        targets.map((target) => {
          const { active, waiting } = target;
          return [target.name, { state: balancer.state(target), active, waiting, ...counts.target(target.name) }];
        }),
      ),
    }),
  };
}

function openMember(
  target: TargetOptions,
  upstream: RouteUpstreamOptions,
  before: OpenRoute | undefined,
  logger: Logger,
): Member {
  const { connections, queue, timeouts, tls, http2, health } = upstream;
  const settings = JSON.stringify({ target, connections, queue, timeouts, tls, http2, health });
  const known = before?.members.find((member) => member.settings === settings);
  if (known) return known;
  // The first targets of a route share its requests from the start.
  const opened = createTarget(target, upstream, createTargetHealth(before && monotonicMs()));
  return { target: opened, settings, checks: health && startHealthChecks(opened, health, { logger }) };
}

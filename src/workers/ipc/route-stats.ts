import type { RoutesStatus, RouteStatus, RunsStatus, SharedStatus, TargetStatus } from "../../http/gateway-status.ts";
import { addNumbers } from "../../http/subscriber-stats.ts";

/** The routes of several processes. Of a target's states the worst. */
export function addRoutes(a: RoutesStatus, b: RoutesStatus): RoutesStatus {
  return addByName(a, b, addRoute);
}

function addRoute(a: RouteStatus, b: RouteStatus): RouteStatus {
  return {
    requests: a.requests + b.requests,
    active: a.active + b.active,
    failed: a.failed + b.failed,
    responses: addNumbers(a.responses, b.responses),
    failures: addNumbers(a.failures, b.failures),
    ...((a.shared ?? b.shared) && { shared: addNumbers(a.shared ?? unshared, b.shared ?? unshared) }),
    ...((a.runs ?? b.runs) && { runs: addNumbers(a.runs ?? noRuns, b.runs ?? noRuns) }),
    targets: addByName(a.targets, b.targets, addTarget),
  };
}

const noRuns: RunsStatus = { running: 0, started: 0, joined: 0, completed: 0, failed: 0, cancelled: 0, truncated: 0 };

const unshared: SharedStatus = { streams: 0, connected: 0, subscribers: 0 };

const fromBest: readonly TargetStatus["state"][] = ["up", "ejected", "down"];

function addTarget({ state: a, ...some }: TargetStatus, { state: b, ...others }: TargetStatus): TargetStatus {
  return { state: fromBest.indexOf(a) > fromBest.indexOf(b) ? a : b, ...addNumbers(some, others) };
}

function addByName<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  add: (a: T, b: T) => T,
): Readonly<Record<string, T>> {
  const sums = Object.entries(b).map(([name, value]) => [name, name in a ? add(a[name]!, value) : value] as const);
  return { ...a, ...Object.fromEntries(sums) };
}

/** The routes to keep of a process that has ended: their counts, without requests under way. */
export function withoutActive(routes: RoutesStatus): RoutesStatus {
  return mapValues(routes, (route) => ({
    ...route,
    active: 0,
    ...(route.shared && { shared: unshared }),
    ...(route.runs && { runs: { ...route.runs, running: 0 } }),
    targets: mapValues(route.targets, (target) => ({ ...target, state: "up", active: 0, waiting: 0 })),
  }));
}

/** The part of `routes` with the routes and targets that `current` has. */
export function onlyCurrent(routes: RoutesStatus, current: RoutesStatus): RoutesStatus {
  return mapValues(pick(routes, current), (route, name) => ({
    ...route,
    targets: pick(route.targets, current[name]!.targets),
  }));
}

function mapValues<T>(
  record: Readonly<Record<string, T>>,
  map: (value: T, name: string) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

function pick<T>(record: Readonly<Record<string, T>>, names: object): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name in names));
}

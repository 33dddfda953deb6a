import type { RouteStatus } from "../http/gateway-status.ts";
import type { Metric, Sample } from "./definition.ts";
import type { Snapshot } from "./snapshot.ts";

/** Requests that are forwarded, over all processes. */
export const routeMetrics: readonly Metric[] = [
  {
    name: "spillway_route_requests_total",
    type: "counter",
    help: "Requests, by the class of the response's status; none if the client left before there was one",
    labels: ["route", "status"],
    samples: eachRoute(({ responses }) => byLabel("status", responses)),
  },
  {
    name: "spillway_route_active",
    type: "gauge",
    help: "Requests that have not ended, including those that wait for a target",
    labels: ["route"],
    samples: eachRoute(({ active }) => [{ labels: {}, value: active }]),
  },
  {
    name: "spillway_route_failures_total",
    type: "counter",
    help: "Requests that no target answered, and responses that were cut, by error code",
    labels: ["route", "code"],
    samples: eachRoute(({ failures }) => byLabel("code", failures)),
  },
  {
    name: "spillway_route_shared_streams",
    type: "gauge",
    help: "Distinct requests whose responses clients share",
    labels: ["route"],
    samples: eachRoute(({ shared }) => (shared ? [{ labels: {}, value: shared.streams }] : [])),
  },
  {
    name: "spillway_route_shared_connected",
    type: "gauge",
    help: "Shared responses that are connected to a target",
    labels: ["route"],
    samples: eachRoute(({ shared }) => (shared ? [{ labels: {}, value: shared.connected }] : [])),
  },
  {
    name: "spillway_route_shared_subscribers",
    type: "gauge",
    help: "Clients of shared responses",
    labels: ["route"],
    samples: eachRoute(({ shared }) => (shared ? [{ labels: {}, value: shared.subscribers }] : [])),
  },
  {
    name: "spillway_route_runs",
    type: "gauge",
    help: "Runs that have not ended",
    labels: ["route"],
    samples: eachRoute(({ runs }) => (runs ? [{ labels: {}, value: runs.running }] : [])),
  },
  {
    name: "spillway_route_runs_started_total",
    type: "counter",
    help: "Runs that were started",
    labels: ["route"],
    samples: eachRoute(({ runs }) => (runs ? [{ labels: {}, value: runs.started }] : [])),
  },
  {
    name: "spillway_route_runs_joined_total",
    type: "counter",
    help: "Requests that got the response of a run that another request had started",
    labels: ["route"],
    samples: eachRoute(({ runs }) => (runs ? [{ labels: {}, value: runs.joined }] : [])),
  },
  {
    name: "spillway_route_runs_ended_total",
    type: "counter",
    help: "Runs that have ended, by how; truncated ones have an incomplete response",
    labels: ["route", "state"],
    samples: eachRoute(({ runs }) => {
      if (!runs) return [];
      const { completed, failed, cancelled, truncated } = runs;
      return byLabel("state", { completed, failed, cancelled, truncated });
    }),
  },
  {
    name: "spillway_route_retries_total",
    type: "counter",
    help: "Requests sent again, to another target or on another connection",
    labels: ["route", "target"],
    samples: eachTarget(({ retries }) => retries),
  },
  {
    name: "spillway_route_target_up",
    type: "gauge",
    help: "1 while the target is used in all processes, 0 while one has found it down or ejected it",
    labels: ["route", "target"],
    samples: eachTarget(({ state }) => (state === "up" ? 1 : 0)),
  },
  {
    name: "spillway_route_target_active",
    type: "gauge",
    help: "Requests that the target has",
    labels: ["route", "target"],
    samples: eachTarget(({ active }) => active),
  },
  {
    name: "spillway_route_target_waiting",
    type: "gauge",
    help: "Requests that wait because the target has as many as it may have",
    labels: ["route", "target"],
    samples: eachTarget(({ waiting }) => waiting),
  },
  {
    name: "spillway_route_target_requests_total",
    type: "counter",
    help: "Requests sent to the target, including retries",
    labels: ["route", "target"],
    samples: eachTarget(({ requests }) => requests),
  },
  {
    name: "spillway_route_target_failures_total",
    type: "counter",
    help: "Requests to the target that failed: no answer, a cut response, or a 502, 503 or 504",
    labels: ["route", "target"],
    samples: eachTarget(({ failures }) => failures),
  },
  {
    name: "spillway_route_target_ejections_total",
    type: "counter",
    help: "Ejections of the target after failed requests, counted once per process",
    labels: ["route", "target"],
    samples: eachTarget(({ ejections }) => ejections),
  },
];

function eachRoute(read: (route: RouteStatus) => readonly Sample<number>[]): (snapshot: Snapshot) => Sample<number>[] {
  return ({ routes }) =>
    Object.entries(routes).flatMap(([route, status]) =>
      read(status).map(({ labels, value }) => ({ labels: { route, ...labels }, value })),
    );
}

function eachTarget(
  read: (target: RouteStatus["targets"][string]) => number,
): (snapshot: Snapshot) => Sample<number>[] {
  return eachRoute(({ targets }) =>
    Object.entries(targets).map(([target, status]) => ({ labels: { target }, value: read(status) })),
  );
}

function byLabel(label: string, counts: Readonly<Record<string, number>>): Sample<number>[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

import type { ConnectionHooks } from "../http/connection-hooks.ts";
import { createClients, type PeerCalls, type Peers } from "../http/clients.ts";
import type { GatewayContext, Policy, ServedStream } from "../http/gateway-context.ts";
import type { RoutesStatus } from "../http/gateway-status.ts";
import { summarize } from "../http/status.ts";
import type { Limits } from "../limits/options.ts";
import { createPressure, underPressure, type Pressure } from "../limits/pressure.ts";
import { createBodyBudget } from "../limits/body-budget.ts";
import { createReplayGate, type ReplayLimits } from "../limits/replay-gate.ts";
import type { Logger } from "../util/logger.ts";
import type { GatewayOptions } from "./options.ts";
import type { OwnRuns } from "./own-runs.ts";
import type { Reconfigurable } from "./reconfigurable.ts";
import type { SharedStreams } from "./shared-streams.ts";
import { dashboardRoute } from "../dashboard/routes.ts";
import { version } from "./version.ts";

/** The parts that a gateway is assembled from. */
export interface GatewayParts extends Pick<
  GatewayContext,
  "diagnostics" | "workers" | "refresh" | "reload" | "tickets" | "admission" | "metrics" | "deliveries" | "onDemand"
> {
  /** The streams by name. They may change while the gateway runs. */
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** What clients of routes share. */
  readonly shared: SharedStreams;
  /** The runs of this process. */
  readonly runs: OwnRuns;
  /** The list to which the gateway adds its parts that accept new options. */
  readonly reconfigurable: Pick<Reconfigurable, "add">;
  /** The other processes that serve clients; absent if there are none. */
  readonly peers?: Peers | undefined;
  /** The state of the routes in all processes. Default: in this one. */
  routes?(): RoutesStatus;
  /** Callbacks of the embedding program for connecting and disconnecting clients. Default: none. */
  readonly hooks?: ConnectionHooks | undefined;
  readonly logger: Logger;
  /** When the whole gateway was started, in ms since 1970. */
  readonly startedAt: number;
  /** Stops ingest when the gateway closes; resolves once the hubs have received their last events. */
  endIngest(): Promise<void>;
  /** Releases the resources of the streams, after all clients are disconnected. */
  end(): Promise<void>;
}

/** Watches the event loop lag and the memory of this process, and logs when a limit is exceeded. */
export function watchPressure(limits: Limits, logger: Logger): Pressure {
  const pressure = createPressure(limits, (overloaded) => {
    const { lag, memory } = pressure;
    const message = overloaded ? "overloaded: new subscriptions are refused" : "new subscriptions are accepted again";
    logger.warn({ lag, memory }, message);
  });
  pressure.start();
  return pressure;
}

/** Limits how many replays and searches run at once, and how much memory request bodies take. */
export interface Gates extends Pick<GatewayContext, "replays" | "searches" | "bodies"> {
  /** Applies new limits. */
  change(limits: Limits): void;
}

/** Creates the gates of a process. Searches may wait as long as replays. */
export function createGates(limits: Limits): Gates {
  const searchLimits = ({ searches, replayWait }: Limits): ReplayLimits => ({ replays: searches, replayWait });
  const replays = createReplayGate(limits);
  const searches = createReplayGate(searchLimits(limits));
  const bodies = createBodyBudget(limits.bodies);
  return {
    replays,
    searches,
    bodies,
    change(next) {
      bodies.change(next.bodies);
      replays.change(next);
      searches.change(searchLimits(next));
    },
  };
}

/** The state that the HTTP layer needs in addition to the gateway's parts. */
export interface ContextState extends Pick<GatewayContext, "sessions" | "replays" | "searches" | "bodies"> {
  readonly pressure: Pressure;
  readonly forwarding: Pick<GatewayContext, "forwarded" | "hasRoute">;
  routes: GatewayContext["routes"];
  options(): GatewayOptions;
  policy(): Policy;
  readonly shutdown: Pick<GatewayContext, "draining" | "closing">;
}

/** Creates the HTTP layer's view of the gateway. */
export function createContext(parts: GatewayParts, state: ContextState): GatewayContext {
  const { streams, admission, peers } = parts;
  const peerCalls: PeerCalls = {
    ...state.sessions,
    summary: () => summarize(context),
    used: ({ streams: names }) => parts.onDemand.used(names),
  };
  const { sessions, replays, searches, bodies, pressure, forwarding, routes, options, policy } = state;
  const context: GatewayContext = {
    version,
    node: options().cluster.node,
    retention({ name, pattern }) {
      const { streams: configured, patterns } = options();
      return (pattern === undefined ? configured[name] : patterns[pattern]?.stream)?.retention;
    },
    startedAt: parts.startedAt,
    listener: options().listener,
    streams,
    onDemand: parts.onDemand,
    get default() {
      const { default: name } = options();
      return name === undefined ? undefined : streams.get(name);
    },
    forwarded: forwarding.forwarded,
    hasRoute: forwarding.hasRoute,
    routes,
    dashboard: (path) => (policy().dashboard ? dashboardRoute(path) : undefined),
    get policy() {
      return policy();
    },
    tickets: parts.tickets,
    admission: underPressure(admission, pressure),
    replays,
    searches,
    bodies,
    sessions,
    clients: createClients(peerCalls, peers),
    peerCalls,
    diagnostics: parts.diagnostics,
    refused: {},
    reload: parts.reload,
    deliveries: parts.deliveries,
    metrics: parts.metrics,
    get draining() {
      return state.shutdown.draining;
    },
    get closing() {
      return state.shutdown.closing;
    },
    workers: parts.workers,
    refresh: parts.refresh,
    logger: parts.logger,
  };
  return context;
}

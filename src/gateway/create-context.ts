import type { ConnectionHooks } from "../http/connection-hooks.ts";
import type { EndReason } from "../hub/control.ts";
import type { SessionMatch } from "../http/sessions.ts";
import type { GatewayContext, Policy, ServedStream } from "../http/gateway-context.ts";
import type { Limits } from "../limits/options.ts";
import { createPressure, underPressure, type Pressure } from "../limits/pressure.ts";
import { createBodyBudget } from "../limits/body-budget.ts";
import { createReplayGate, type ReplayLimits } from "../limits/replay-gate.ts";
import type { Logger } from "../util/logger.ts";
import type { GatewayOptions } from "./options.ts";
import type { Reconfigurable } from "./reconfigurable.ts";
import { version } from "./version.ts";

/** What a gateway is made of. */
export interface GatewayParts extends Pick<
  GatewayContext,
  "workers" | "refresh" | "reload" | "tickets" | "admission" | "metrics"
> {
  /** May change while the gateway runs. */
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** Gets the gateway's parts that take new options. */
  readonly reconfigurable: Pick<Reconfigurable, "add">;
  /** Ends sessions in the other processes; resolves to how many. Absent without any. */
  endElsewhere?(match: SessionMatch, reason: EndReason): Promise<number>;
  /** What the program around it does as clients come and go. Default: nothing. */
  readonly hooks?: ConnectionHooks | undefined;
  readonly logger: Logger;
  /** Since when the whole has been running, ms since 1970. */
  readonly startedAt: number;
  /** Called as the gateway closes; resolves once the hubs have all that they will ever get. */
  endIngest(): Promise<void>;
  /** Lets go of what the streams stand on, when nobody is served any more. */
  end(): Promise<void>;
}

/** Watches the time and the memory of this process, and says in the log when they run short. */
export function watchPressure(limits: Limits, logger: Logger): Pressure {
  const pressure = createPressure(limits, (overloaded) => {
    const { lag, memory } = pressure;
    const message = overloaded ? "overloaded: no subscription is let in" : "subscriptions are let in again";
    logger.warn({ lag, memory }, message);
  });
  pressure.start();
  return pressure;
}

/** What is let in a few at a time. */
export interface Gates extends Pick<GatewayContext, "replays" | "searches" | "bodies"> {
  /** Takes other limits from now on. */
  change(limits: Limits): void;
}

/** Makes the gates of a process. Searches wait as long as replays do. */
export function createGates(limits: Limits): Gates {
  const ofSearches = ({ searches, replayWait }: Limits): ReplayLimits => ({ replays: searches, replayWait });
  const replays = createReplayGate(limits);
  const searches = createReplayGate(ofSearches(limits));
  const bodies = createBodyBudget(limits.bodies);
  return {
    replays,
    searches,
    bodies,
    change(next) {
      bodies.change(next.bodies);
      replays.change(next);
      searches.change(ofSearches(next));
    },
  };
}

/** What the HTTP layer is served with beside the gateway's parts. */
export interface ContextState extends Pick<GatewayContext, "sessions" | "replays" | "searches" | "bodies"> {
  readonly pressure: Pressure;
  options(): GatewayOptions;
  policy(): Policy;
  isClosing(): boolean;
}

/** The gateway as the HTTP layer sees it. */
export function createContext(parts: GatewayParts, state: ContextState): GatewayContext {
  const { streams, admission, endElsewhere } = parts;
  const { sessions, replays, searches, bodies, pressure, options, policy, isClosing } = state;
  return {
    version,
    startedAt: parts.startedAt,
    listener: options().listener,
    streams,
    get default() {
      const { default: name } = options();
      return name === undefined ? undefined : streams.get(name);
    },
    get policy() {
      return policy();
    },
    tickets: parts.tickets,
    admission: underPressure(admission, pressure),
    replays,
    searches,
    bodies,
    sessions,
    refused: {},
    async end(match, reason) {
      return sessions.end(match, reason) + ((await endElsewhere?.(match, reason)) ?? 0);
    },
    reload: parts.reload,
    metrics: parts.metrics,
    get closing() {
      return isClosing();
    },
    workers: parts.workers,
    refresh: parts.refresh,
    logger: parts.logger,
  };
}

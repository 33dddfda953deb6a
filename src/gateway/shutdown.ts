import type { ServedStream } from "../http/gateway-context.ts";
import type { Sessions } from "../http/sessions.ts";
import type { DrainPlan, Hub } from "../hub/hub.ts";
import type { Pressure } from "../limits/pressure.ts";
import type { Forwarding } from "./forwarding.ts";
import type { GatewayOptions } from "./options.ts";
import type { GatewayServer } from "./server.ts";

/** The end of a gateway. */
export interface Shutdown {
  /** True once clients are being disconnected. */
  readonly draining: boolean;
  /** True once the gateway is being closed. */
  readonly closing: boolean;
  /** Disconnects the clients; see `Gateway.drain`. */
  drain(): Promise<void>;
  /** Ends everything; see `Gateway.close`. */
  close(): Promise<void>;
}

/** What a gateway consists of when it ends. */
export interface ShutdownParts {
  readonly sessions: Pick<Sessions, "endPolls">;
  readonly forwarding: Pick<Forwarding, "close">;
  readonly pressure: Pick<Pressure, "stop">;
  options(): GatewayOptions;
  streams(): readonly ServedStream[];
  /** The gateway's own server, if it has been started. */
  server(): Promise<GatewayServer | undefined>;
  /** Resolves once the hubs have received their last events. */
  endIngest(): Promise<void>;
  /** Releases the resources of the streams, after all clients are disconnected. */
  end(): Promise<void>;
}

/** Creates the end of a gateway, whose two steps are carried out once each. */
export function createShutdown(parts: ShutdownParts): Shutdown {
  let drained: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  async function endClients(how: "drain" | "close"): Promise<void> {
    const { sessions, forwarding } = parts;
    const options = parts.options();
    sessions.endPolls();
    await Promise.all([endSubscribers(parts.streams(), options, how), forwarding.close(options.drain)]);
  }

  async function close(): Promise<void> {
    const server = await parts.server();
    const stopped = server?.close(parts.options().drain);
    await parts.endIngest();
    await drained;
    await endClients("close");
    await stopped;
    parts.pressure.stop();
    await parts.end();
  }

  return {
    get draining() {
      return (drained ?? closed) !== undefined;
    },
    get closing() {
      return closed !== undefined;
    },
    drain: () => (drained ??= closed ?? endClients("drain")),
    close: () => (closed ??= close()),
  };
}

/** The shortest reconnect delay of clients when the server stops, in ms, and the smallest spread of the delays. */
const minRetry = 1000;
const minRetrySpread = 4000;

/** The share of `drain` over which subscriptions are ended. The rest is for writes that are still in flight. */
const disconnectShare = 0.8;

/** The shortest time that clients have to read what was sent to them, in ms. */
const minGrace = 1000;

/** Disconnects all subscribers of this process: `drain` keeps the hubs, `close` also ends them. */
async function endSubscribers(
  streams: readonly ServedStream[],
  { workers, drain }: GatewayOptions,
  how: keyof Pick<Hub, "drain" | "close">,
): Promise<void> {
  const hubs = streams.map(({ hub }) => hub);
  // The other processes have about as many subscribers each.
  const subscribers = hubs.reduce((sum, hub) => sum + hub.subscribers, 0) * workers;
  const plan = drainPlanFor(subscribers, drain);
  await Promise.all(hubs.map((hub) => hub[how](plan)));
}

/**
 * Disconnects at most 1,000 clients per second if `drain` is long enough, and spreads their reconnects at that rate.
 */
function drainPlanFor(subscribers: number, drain: number): DrainPlan {
  const over = Math.min(subscribers, drain * disconnectShare);
  const retry = [minRetry, minRetry + Math.max(minRetrySpread, subscribers)] as const;
  return { reason: "drain", over, retry, grace: Math.max(drain, minGrace) };
}

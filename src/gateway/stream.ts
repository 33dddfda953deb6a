import type { ControlEvents } from "../hub/control.ts";
import { createHub } from "../hub/create-hub.ts";
import type { ServedStream } from "../http/served.ts";
import type { LogStore } from "../log/log.ts";
import { createUpstream } from "../upstream/create-upstream.ts";
import type { Upstream, UpstreamState } from "../upstream/upstream.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { createAppender } from "./appender.ts";
import { createDemand, type Demand } from "./demand.ts";
import { createIngest, type Ingest } from "./ingest.ts";
import type { Limits, StreamOptions, StreamUpstreamOptions } from "./options.ts";

/** One stream in operation: upstream, log and hub. */
export interface GatewayStream extends ServedStream {
  /** Begins to ingest, if it is not to wait for the first subscriber. */
  start(): void;
  /** Ends ingest; what was received is in the log. */
  stop(): Promise<void>;
}

export interface StreamDependencies {
  readonly store: LogStore;
  readonly limits: Limits;
  readonly logger: Logger;
}

/** Opens a stream's log and puts its hub and its upstream around it. */
export async function openStream(
  name: string,
  options: StreamOptions,
  { store, limits, logger: parent }: StreamDependencies,
): Promise<GatewayStream> {
  const logger = withFields(parent, { stream: name });
  const log = await store.open(name, { retention: options.retention });
  const { append, paused, stop } = createAppender(log, logger);
  let source: Source | undefined;
  const hub = await createHub(log, {
    ids: options.ids,
    heartbeat: options.heartbeat,
    coalesce: options.coalesce,
    outbox: limits.outbox,
    stall: limits.stall,
    logger,
    onSubscribers: (count) => source?.demand?.setSubscribers(count),
  });
  if (options.upstream) {
    const ingest = createIngest(log, append, options.channel);
    source = createSource(options.upstream, ingest, (state) => hub.broadcast("spillway.upstream", { state }), logger);
  }
  return {
    name,
    ids: options.ids,
    log,
    hub,
    upstream: () => source?.upstream.status(),
    append,
    paused,
    hold: () => source?.demand?.hold() ?? (() => {}),
    start: () => {
      if (options.upstream?.connect === "always") source?.upstream.start();
    },
    async stop() {
      stop();
      source?.demand?.end();
      await source?.upstream.stop();
    },
  };
}

interface Source {
  readonly upstream: Upstream;
  /** What opens and closes it; absent where it stays open. */
  readonly demand: Demand | undefined;
}

type Announced = ControlEvents["spillway.upstream"]["state"];

/** The upstream, and what opens and closes it on demand; subscribers hear when the flow begins and breaks, once each. */
function createSource(
  options: StreamUpstreamOptions,
  { deliver, history }: Ingest,
  announce: (state: Announced) => void,
  logger: Logger,
): Source {
  let announced: UpstreamState = "idle";
  const upstream = createUpstream(options, {
    history,
    deliver,
    logger,
    onState({ state }) {
      if (state === "connecting" || state === announced) return;
      announced = state;
      announce(state);
    },
  });
  if (options.connect === "always") return { upstream, demand: undefined };
  const stop = (): void => void upstream.stop();
  return { upstream, demand: createDemand(options.linger, upstream.start.bind(upstream), stop) };
}

import type { ControlEvents } from "../hub/control.ts";
import type { ServedUpstream } from "../http/served.ts";
import type { Log, LogStore } from "../log/log.ts";
import { createUpstream } from "../upstream/create-upstream.ts";
import type { Upstream, UpstreamState } from "../upstream/upstream.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { createAppender } from "./appender.ts";
import { createDemand, type Demand } from "./demand.ts";
import { createIngest, type Ingest } from "./ingest.ts";
import type { StreamOptions, StreamUpstreamOptions } from "./options.ts";

/** What subscribers are told of an upstream. */
export type Announced = ControlEvents["spillway.upstream"]["state"];

/** Where a stream's events come from, as those need it who serve them: in this process, or in another one. */
export interface StreamSource {
  readonly log: Log;
  /** The log's `append`, seen by `paused`. */
  readonly append: Log["append"];
  /** What is known of its upstream; `undefined` for a stream that is only published to. */
  upstream(): ServedUpstream | undefined;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Keeps an upstream open that is connected on demand; returns the way to let it go. */
  hold(): () => void;
  /** Calls back when the upstream's flow begins and when it breaks, once each. */
  onUpstream(listener: (state: Announced) => void): void;
}

/** The source of a stream that this process fills. */
export interface OwnSource extends StreamSource {
  /** Begins to ingest, if it is not to wait for the first subscriber. */
  start(): void;
  /** Ends ingest; what was received is in the log. */
  stop(): Promise<void>;
}

export interface SourceDependencies {
  readonly store: LogStore;
  readonly logger: Logger;
}

/** Opens a stream's log and puts its upstream before it. */
export async function openSource(
  name: string,
  options: StreamOptions,
  { store, logger: parent }: SourceDependencies,
): Promise<OwnSource> {
  const logger = withFields(parent, { stream: name });
  const log = await store.open(name, { retention: options.retention });
  const { append, paused, stop } = createAppender(log, logger);
  const listeners: Array<(state: Announced) => void> = [];
  const announce = (state: Announced): void => listeners.forEach((listener) => listener(state));
  const ingest = createIngest(log, append, options.channel);
  const feed = options.upstream && createFeed(options.upstream, ingest, announce, logger);
  return {
    log,
    append,
    paused,
    upstream: () => feed?.upstream.status(),
    hold: () => feed?.demand?.hold() ?? (() => {}),
    onUpstream: (listener) => void listeners.push(listener),
    start() {
      if (options.upstream?.connect === "always") feed?.upstream.start();
    },
    async stop() {
      stop();
      feed?.demand?.end();
      await feed?.upstream.stop();
    },
  };
}

interface Feed {
  readonly upstream: Upstream;
  /** What opens and closes it; absent where it stays open. */
  readonly demand: Demand | undefined;
}

/** The upstream, and what opens and closes it on demand; the flow's begin and its break are announced once each. */
function createFeed(
  options: StreamUpstreamOptions,
  { deliver, history }: Ingest,
  announce: (state: Announced) => void,
  logger: Logger,
): Feed {
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

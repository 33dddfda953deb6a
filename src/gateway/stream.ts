import { createHub } from "../hub/create-hub.ts";
import type { ServedStream } from "../http/gateway-context.ts";
import type { SubscriberStats } from "../http/gateway-status.ts";
import type { Hub } from "../hub/hub.ts";
import { withFields, type Logger } from "../util/logger.ts";
import type { Limits } from "../limits/options.ts";
import { idModeOf, type StreamOptions } from "./options.ts";
import { removed } from "./reload.ts";
import type { StreamSource } from "./source.ts";

export interface StreamDependencies {
  /** As they are at the moment. */
  limits(): Limits;
  /** How many streams are served. */
  count(): number;
  readonly logger: Logger;
}

/** How long an event of another node may be on its way here, in ms; after that an id from ahead is another log's. */
const longestBehind = 2000;

/** Events that are read at the start: over all streams, so that many of them do not take long, and of each at most and at least. */
const warmUp = { all: 16_384, most: 256, least: 8 };

/** Puts a hub behind a stream's source: what is needed to serve it from this process. */
export async function serveStream(
  name: string,
  options: StreamOptions,
  source: StreamSource,
  { limits, count, logger }: StreamDependencies,
): Promise<ServedStream> {
  const ids = idModeOf(options);
  let release: (() => void) | undefined;
  const hub = await createHub(source.log, {
    ids,
    heartbeat: options.heartbeat,
    coalesce: options.coalesce,
    get outbox() {
      return limits().outbox;
    },
    get stall() {
      return limits().stall;
    },
    warmUp: Math.max(warmUp.least, Math.min(warmUp.most, Math.floor(warmUp.all / count()))),
    logger: withFields(logger, { stream: name }),
    onSubscribers(subscribers) {
      if (subscribers > 0) release ??= source.hold();
      else {
        release?.();
        release = undefined;
      }
    },
  });
  const { log, append, upstream, lease, replication, paused, hold } = source;
  const behind = source.shared ? longestBehind : 0;
  return {
    name,
    ids,
    retry: options.retry,
    log,
    hub,
    subscriberStats: () => subscriberStatsOf(hub),
    append,
    upstream,
    lease,
    replication,
    behind,
    paused,
    hold,
  };
}

/**
 * Tells a stream's subscribers of its upstream, whatever is served under its name at the moment: what was replaced is not held in
 * memory.
 */
export function announceUpstream(
  name: string,
  source: Pick<StreamSource, "onUpstream">,
  streams: ReadonlyMap<string, ServedStream>,
): void {
  source.onUpstream((state) => streams.get(name)?.hub.broadcast("spillway.upstream", { state }));
}

/** Serves a stream from now on. Subscribers of one that was there before are let go, and resume here. */
export async function placeStream(streams: Map<string, ServedStream>, stream: ServedStream): Promise<void> {
  const before = streams.get(stream.name);
  streams.set(stream.name, stream);
  await before?.hub.close(removed);
}

/** Serves a stream no more. */
export async function removeStream(streams: Map<string, ServedStream>, name: string): Promise<void> {
  const stream = streams.get(name);
  streams.delete(name);
  await stream?.hub.close(removed);
}

function subscriberStatsOf(hub: Hub): SubscriberStats {
  return { subscribers: hub.subscribers, ...hub.backlog(), ...hub.stats };
}

import type { SubscriberRight } from "../access/identity.ts";
import { createStreamFilters, type StreamFilters } from "../filter/stream-filters.ts";
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
  /** The current limits. */
  limits(): Limits;
  /** The number of streams that are served. */
  count(): number;
  readonly logger: Logger;
}

/**
 * How long an event from another node may take to arrive, in ms. After that, an id beyond the head counts as foreign.
 */
const longestBehind = 2000;

/**
 * How many events are read at the start: in total, so that many streams still start fast, and per stream at most and at
 * least.
 */
const warmUp = { all: 16_384, most: 256, least: 8 };

/**
 * Creates the hub for a stream's source, so that this process can serve the stream.
 * @param right the right that subscribers need
 */
export async function serveStream(
  name: string,
  options: StreamOptions,
  source: StreamSource,
  { limits, count, logger }: StreamDependencies,
  right: SubscriberRight = "subscribe",
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
  const filters = createStreamFilters(() => limits().filters);
  const { log, append, transform, definition, assertValid, upstream, lease, replication, paused, hold } = source;
  const behind = source.shared ? longestBehind : 0;
  return {
    name,
    right,
    ids,
    retry: options.retry,
    heartbeat: options.heartbeat.interval,
    log,
    hub,
    filters,
    subscriberStats: () => subscriberStatsOf(hub, filters),
    append,
    transform,
    definition,
    assertValid,
    upstream,
    lease,
    replication,
    behind,
    paused,
    hold,
  };
}

/**
 * Announces the upstream's state to the stream's subscribers. Looks the stream up by name each time, so that a replaced
 * one is not kept in memory.
 */
export function announceUpstream(
  name: string,
  source: Pick<StreamSource, "onUpstream">,
  streams: ReadonlyMap<string, ServedStream>,
): void {
  source.onUpstream((state) => streams.get(name)?.hub.broadcast("spillway.upstream", { state }));
}

/** Starts serving a stream. Subscribers of a replaced stream are disconnected and resume on the new one. */
export async function placeStream(streams: Map<string, ServedStream>, stream: ServedStream): Promise<void> {
  const before = streams.get(stream.name);
  streams.set(stream.name, stream);
  await before?.hub.close(removed);
}

/** Stops serving a stream. */
export async function removeStream(streams: Map<string, ServedStream>, name: string): Promise<void> {
  const stream = streams.get(name);
  streams.delete(name);
  await stream?.hub.close(removed);
}

function subscriberStatsOf(hub: Hub, { size, errors }: StreamFilters): SubscriberStats {
  return { subscribers: hub.subscribers, filters: size, ...hub.backlog(), ...hub.stats, filterErrors: errors };
}

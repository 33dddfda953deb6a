import { isDeepStrictEqual } from "node:util";
import type { LeaseStatus, ReplicationStatus } from "../http/gateway-context.ts";
import type { Log, LogStore } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import type { UpstreamStatus } from "../upstream/upstream.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { mapLimited } from "../util/semaphore.ts";
import { createAppender } from "./appender.ts";
import { createFeed, type Announced, type LeaseChanges } from "./feed.ts";
import { createIngest } from "./ingest.ts";
import type { Leadership } from "./leadership.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import type { Prepared } from "./reload.ts";
import { watchReplication } from "./replication.ts";

/** Where a stream's events come from, as those need it who serve them: in this process, or in another one. */
export interface StreamSource {
  readonly log: Log;
  /** The log's `append`, seen by `paused`. */
  readonly append: Log["append"];
  /** What is known of its upstream; `undefined` for a stream that is only published to. */
  upstream(): UpstreamStatus | undefined;
  /** Whether other nodes append to the log too. Default: false. */
  readonly shared?: boolean;
  /** Who ingests it, where nodes share the store. */
  lease?: (() => LeaseStatus | undefined) | undefined;
  /** How far this node is behind the others, where nodes share the store. */
  replication?: (() => ReplicationStatus) | undefined;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Keeps an upstream open that is connected on demand; returns the way to let it go. */
  hold(): () => void;
  /** Calls back when the upstream's flow begins and when it breaks, once each. */
  onUpstream(listener: (state: Announced) => void): void;
}

/** The source of a stream that this process fills. */
export interface OwnSource extends StreamSource {
  /** How events came into the log. */
  ingestStats(): IngestStats;
  /** Begins to ingest, if it is not to wait for the first subscriber. */
  start(): void;
  /**
   * Gets ready for another upstream, channel or retention. Subscribers stay, and whoever holds it goes on to. It is connected anew only
   * where something else is to be connected to, or done with what comes.
   * @throws {SpillwayError} a `store-…` code.
   */
  prepare(options: StreamOptions): Promise<Prepared>;
  /** Ends ingest; what was received is in the log. */
  stop(): Promise<void>;
}

export interface SourceDependencies {
  readonly store: LogStore;
  readonly logger: Logger;
  /** How long the right to ingest lasts that is not renewed, where nodes share the store, in ms. */
  readonly lease: number;
}

/** Opens a stream's log and puts its upstream before it. */
export async function openSource(
  name: string,
  first: StreamOptions,
  { store, logger: parent, lease }: SourceDependencies,
): Promise<OwnSource> {
  const logger = withFields(parent, { stream: name });
  const log = await store.open(name, { retention: first.retention });
  const {
    append,
    ingest: appendIngested,
    paused,
    stats,
    stop,
  } = createAppender(log, logger, {
    fence: () => feed?.leadership?.fence,
    onLost: () => feed?.leadership?.lose(),
  });
  const listeners: Array<(state: Announced) => void> = [];
  const announce = (state: Announced): void => listeners.forEach((listener) => listener(state));
  const holds = new Set<Hold>();
  let current = first;
  const changes: LeaseChanges = { taken: 0, lost: 0, released: 0 };
  const parts = { stream: name, announce, coordination: store.coordination, ttl: lease, changes, logger };
  const replication = store.connection && watchReplication(log, () => store.connection!());
  let ingest = createIngest(log, appendIngested, first.channel);
  let feed = first.upstream && createFeed(first.upstream, ingest, parts);
  let started = false;

  function start(): void {
    started = true;
    feed?.start();
  }

  async function feedAnew({ upstream, channel }: StreamOptions): Promise<void> {
    await stopFeed();
    ingest = createIngest(log, appendIngested, channel, ingest.stats);
    feed = upstream && createFeed(upstream, ingest, parts);
    for (const held of holds) held.release = feed?.demand?.hold();
    if (started) start();
  }

  async function stopFeed(): Promise<void> {
    await feed?.stop();
  }

  return {
    log,
    append,
    paused,
    upstream: () => feed?.upstream.status(),
    shared: store.coordination !== undefined,
    lease: () => feed?.leadership && leaseOf(feed.leadership, changes),
    replication: replication?.status,
    ingestStats: () => ({ ...stats, ...ingest.stats }),
    hold() {
      const held: Hold = { release: feed?.demand?.hold() };
      holds.add(held);
      return () => {
        if (holds.delete(held)) held.release?.();
      };
    },
    onUpstream: (listener) => void listeners.push(listener),
    start,
    async prepare(next) {
      const before = current;
      await store.open(name, { retention: next.retention });
      return {
        async commit() {
          current = next;
          if (!isDeepStrictEqual(fedBy(before), fedBy(next))) await feedAnew(next);
        },
        undo: async () => void (await store.open(name, { retention: before.retention })),
      };
    },
    async stop() {
      stop();
      replication?.stop();
      await stopFeed();
    },
  };
}

/** What decides which events come, and where their channels are found. */
function fedBy({ upstream, channel }: StreamOptions): object {
  return { upstream, channel };
}

/** Somebody who needs the upstream, whichever it is. */
interface Hold {
  release: (() => void) | undefined;
}

function leaseOf(leadership: Leadership, changes: LeaseChanges): LeaseStatus {
  const holder = leadership.holder();
  return { leader: leadership.fence !== undefined, holder: holder?.node, fence: holder?.fence, changes };
}

/** Streams opened at once: a store that can do so opens them together, and no other is flooded. */
export const openedAtOnce = 50;

/** The sources of all streams, none started. */
export async function openSources(
  { streams }: GatewayOptions,
  dependencies: SourceDependencies,
): Promise<Map<string, OwnSource>> {
  const open = async ([name, stream]: [string, StreamOptions]): Promise<[string, OwnSource]> => [
    name,
    await openSource(name, stream, dependencies),
  ];
  return new Map(await mapLimited(Object.entries(streams), openedAtOnce, open));
}

/** Ends ingest everywhere; what was received is in the log. */
export async function stopSources(sources: ReadonlyMap<string, OwnSource>): Promise<void> {
  await Promise.all([...sources.values()].map((source) => source.stop()));
}

import { isDeepStrictEqual } from "node:util";
import type { LeaseStatus, Publish, ReplicationStatus } from "../http/gateway-context.ts";
import type { StreamDefinitionStatus, StreamTransformStatus } from "../http/gateway-status.ts";
import type { Log, LogStore, NewEvent } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { loadSource } from "../upstream/sources/load-source.ts";
import type { UpstreamAttempt, UpstreamStatus } from "../upstream/upstream.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { mapLimited } from "../util/semaphore.ts";
import { createAppender } from "./appender.ts";
import { createFeed, type Announced, type Feed, type FeedParts, type LeaseChanges } from "./feed.ts";
import { createIngest, type Ingest } from "./ingest.ts";
import type { Leadership } from "./leadership.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import type { Prepared } from "./reload.ts";
import { watchReplication } from "./replication.ts";
import { createConfiguredDefinition, type ConfiguredDefinition } from "./stream-definition.ts";
import {
  createConfiguredTransform,
  type ConfiguredTransform,
  type LoadTransform,
  type StreamTransform,
} from "./stream-transform.ts";

/** Where a stream's events come from: this process, or another one. */
export interface StreamSource {
  readonly log: Log;
  /** Appends published events, as the stream's transform changes them. Failures of the store set `paused`. */
  readonly append: Publish;
  /** What the transform has done; `undefined` for a stream without one. */
  transform(): StreamTransformStatus | undefined;
  /** What does not match the definition; `undefined` for a stream without one. */
  definition(): StreamDefinitionStatus | undefined;
  /**
   * Checks an event that is not stored.
   * @throws {SpillwayError} `event-invalid` if it does not match the stream's definition
   */
  assertValid(event: NewEvent): Promise<void> | void;
  /** The last known state of the upstream; `undefined` for a stream without one. */
  upstream(): UpstreamStatus | undefined;
  /** Whether other nodes can append to the log. Default: false. */
  readonly shared?: boolean;
  /** The lease to ingest, if nodes share the store. */
  lease?: (() => LeaseStatus | undefined) | undefined;
  /** How far this node is behind the others, if nodes share the store. */
  replication?: (() => ReplicationStatus) | undefined;
  /** Why events cannot be stored at the moment: an error code. */
  paused(): string | undefined;
  /** Keeps an on-demand upstream open; returns the function that ends this. */
  hold(): () => void;
  /** Calls back when the upstream connects and when the connection breaks, once for each change. */
  onUpstream(listener: (state: Announced) => void): void;
}

/** The source of a stream that this process ingests. */
export interface OwnSource extends StreamSource {
  /** Counts of appended and ingested events. */
  ingestStats(): IngestStats;
  /** The last attempts of the upstream to connect, the newest first; none for a stream without one. */
  attempts(): readonly UpstreamAttempt[];
  /** Starts ingest, unless it waits for the first subscriber. */
  start(): void;
  /**
   * Prepares a change of upstream, channel, transform, definition or retention. Subscribers and holds are kept. The upstream
   * reconnects only if its options or the channel change, or if its transform has stopped it.
   * @throws {SpillwayError} `config-invalid`, a `store-…` code.
   */
  prepare(options: StreamOptions): Promise<Prepared>;
  /** Stops ingest; resolves once all received events are in the log. */
  stop(): Promise<void>;
}

export interface SourceDependencies {
  readonly store: LogStore;
  readonly logger: Logger;
  /** How long a lease to ingest lasts without renewal, if nodes share the store, in ms. */
  readonly lease: number;
  /** Changes the upstream's events before they are stored. Default: the transform of the options. */
  readonly transform?: StreamTransform | undefined;
  /** Loads the modules of transforms. Default: reads their files. */
  readonly load?: LoadTransform | undefined;
}

/** Opens a stream's log and creates its upstream. */
export async function openSource(
  name: string,
  first: StreamOptions,
  { store, logger: parent, lease, transform, load }: SourceDependencies,
): Promise<OwnSource> {
  const logger = withFields(parent, { stream: name });
  const listeners: Array<(state: Announced) => void> = [];
  const announce = (state: Announced): void => listeners.forEach((listener) => listener(state));
  const changes: LeaseChanges = { taken: 0, lost: 0, released: 0 };
  const parts: FeedParts = { stream: name, announce, coordination: store.coordination, ttl: lease, changes, logger };
  // Before the log is opened and watched: modules and drivers may be missing.
  const modules = await openModules(name, first, logger, load);
  let makeFeed = await loadFeed(first, parts);
  const log = await store.open(name, { retention: first.retention });
  const {
    append,
    ingest: appendUnchecked,
    paused,
    stats,
    stop,
  } = createAppender(log, logger, {
    fence: () => feed?.leadership?.fence,
    onLost: () => feed?.leadership?.lose(),
  });
  const appendIngested = reported(appendUnchecked, modules.definition);
  const holds = createHolds();
  let current = first;
  const replication = store.connection && watchReplication(log, () => store.connection!());
  const currentTransform = (): StreamTransform | undefined => transform ?? modules.transform.current();
  let ingest = createIngest(log, appendIngested, first.channel, currentTransform);
  let feed = makeFeed(ingest);
  let started = false;

  function start(): void {
    started = true;
    feed?.start();
  }

  async function restartFeed({ channel }: StreamOptions): Promise<void> {
    await feed?.stop();
    ingest = createIngest(log, appendIngested, channel, currentTransform, ingest.stats);
    feed = makeFeed(ingest);
    holds.move(feed);
    if (started) start();
  }

  return {
    log,
    append: publishTo(append, modules.transform.current, modules.definition),
    transform: modules.transform.status,
    definition: modules.definition.status,
    assertValid: (event) => modules.definition.assert([event]),
    paused,
    upstream: () => feed?.upstream.status(),
    attempts: () => feed?.upstream.attempts() ?? [],
    shared: store.coordination !== undefined,
    lease: () => feed?.leadership && leaseOf(feed.leadership, changes),
    replication: replication?.status,
    ingestStats: () => ({ ...stats, ...ingest.stats }),
    hold: () => holds.add(feed),
    onUpstream: (listener) => void listeners.push(listener),
    start,
    async prepare(next) {
      const before = current;
      const makeNext = await loadFeed(next, parts);
      const applyModules = await modules.prepare(next);
      await store.open(name, { retention: next.retention });
      return {
        async commit() {
          current = next;
          makeFeed = makeNext;
          applyModules();
          if (isHalted(feed) || !isDeepStrictEqual(feedOptions(before), feedOptions(next))) await restartFeed(next);
        },
        undo: async () => void (await store.open(name, { retention: before.retention })),
      };
    },
    async stop() {
      stop();
      replication?.stop();
      await feed?.stop();
    },
  };
}

/** Loads what the stream's upstream requires, and resolves to the function that creates its feed. */
async function loadFeed({ upstream }: StreamOptions, parts: FeedParts): Promise<(ingest: Ingest) => Feed | undefined> {
  const createSource = upstream && (await loadSource(upstream));
  return (ingest) => upstream && createSource && createFeed(upstream, createSource, ingest, parts);
}

/** The modules of a stream's options. */
interface StreamModules {
  readonly transform: ConfiguredTransform;
  readonly definition: ConfiguredDefinition;
  /** Loads those of other options; the function that it resolves to applies them. */
  prepare(options: StreamOptions): Promise<() => void>;
}

/** @throws {SpillwayError} `config-invalid` */
async function openModules(
  name: string,
  first: StreamOptions,
  logger: Logger,
  load: LoadTransform | undefined,
): Promise<StreamModules> {
  const transform = createConfiguredTransform(name, logger, load);
  const definition = createConfiguredDefinition(name, logger);
  async function prepare(options: StreamOptions): Promise<() => void> {
    const prepared = [await transform.prepare(options.transform), await definition.prepare(options.definition)];
    return () => prepared.forEach((apply) => apply());
  }
  (await prepare(first))();
  return { transform, definition, prepare };
}

/** Reports what was appended and does not match the definition. */
function reported(append: Log["append"], definition: ConfiguredDefinition): Log["append"] {
  return async (events, options) => {
    const appended = await append(events, options);
    if (!appended.replayed) definition.report(events);
    return appended;
  };
}

/** Appends what the current transform makes of published events, if it matches the definition. */
function publishTo(
  append: Log["append"],
  current: () => StreamTransform | undefined,
  definition: ConfiguredDefinition,
): Publish {
  const lenient = reported(append, definition);
  const store: Publish = (events, { strict, ...options } = {}) => {
    if (!strict) return lenient(events, options);
    const checked = definition.assert(events);
    return checked ? checked.then(() => append(events, options)) : append(events, options);
  };
  return async (events, options) => {
    const transform = current();
    if (!transform) return store(events, options);
    return transform.publish(events, async (changed) => {
      const appended = await store(changed, options);
      return { ...appended, upstreamIds: changed.map(({ upstreamId }) => upstreamId) };
    });
  };
}

/** The options that require a new feed when they change. */
function feedOptions({ upstream, channel }: StreamOptions): object {
  return { upstream, channel };
}

/** Whether the transform has stopped the upstream. */
function isHalted(feed: Feed | undefined): boolean {
  const { state, lastError } = feed?.upstream.status() ?? {};
  return state === "stopped" && lastError?.startsWith("transform-") === true;
}

/** The holds on the current upstream, which a reload moves to the new one. */
interface Holds {
  /** Returns the function that ends the hold. */
  add(feed: Feed | undefined): () => void;
  move(feed: Feed | undefined): void;
}

function createHolds(): Holds {
  const holds = new Set<{ release: (() => void) | undefined }>();
  return {
    add(feed) {
      const held = { release: feed?.demand?.hold() };
      holds.add(held);
      return () => {
        if (holds.delete(held)) held.release?.();
      };
    },
    move(feed) {
      for (const held of holds) held.release = feed?.demand?.hold();
    },
  };
}

function leaseOf(leadership: Leadership, changes: LeaseChanges): LeaseStatus {
  const holder = leadership.holder();
  return { leader: leadership.fence !== undefined, holder: holder?.node, fence: holder?.fence, changes };
}

/** How many streams are opened concurrently: enough for stores that batch, without flooding the others. */
export const openConcurrency = 50;

/** Opens the sources of all streams and starts none. */
export async function openSources(
  { streams }: GatewayOptions,
  dependencies: SourceDependencies,
): Promise<Map<string, OwnSource>> {
  const open = async ([name, stream]: [string, StreamOptions]): Promise<[string, OwnSource]> => [
    name,
    await openSource(name, stream, dependencies),
  ];
  return new Map(await mapLimited(Object.entries(streams), openConcurrency, open));
}

/** Stops all sources; resolves once all received events are in the log. */
export async function stopSources(sources: ReadonlyMap<string, OwnSource>): Promise<void> {
  await Promise.all([...sources.values()].map((source) => source.stop()));
}

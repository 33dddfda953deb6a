/** The values that metrics are made from: plain numbers, read once per scrape. */
import type { LeaseStatus, ReplicationStatus, ServedStream } from "../http/gateway-context.ts";
import type {
  DeliveriesStatus,
  RoutesStatus,
  StreamDefinitionStatus,
  StreamTransformStatus,
  SubscriberStats,
} from "../http/gateway-status.ts";
import type { UpstreamStatus } from "../upstream/upstream.ts";
import type { Limits } from "../limits/options.ts";
import type { LogState, StoreConnection } from "../log/log.ts";
import type { Durations } from "../util/durations.ts";
import type { ProcessStats } from "./process-stats.ts";

/** Statistics of appends to a log, since the start of the process that holds it. */
export interface IngestStats {
  /** Time from the call of an append until its events are durable. */
  readonly appendSeconds: Durations;
  /** Events appended. */
  readonly appended: number;
  /** Appends that failed in the store. */
  readonly failed: number;
  /** Time from the arrival of a batch from the upstream until it is durable, including failed attempts. */
  readonly ingestSeconds: Durations;
  /** When the upstream's last event arrived, ms since 1970. */
  readonly lastEventAt: number | undefined;
}

/** A stream at one moment. Counters cover all processes, including ended ones. */
export interface StreamSnapshot {
  /** The stream's name; the pattern for all streams that are made on demand by it. */
  readonly name: string;
  /** The number of the pattern's streams. */
  readonly count?: number | undefined;
  readonly subscriberStats: SubscriberStats;
  readonly log: LogState;
  readonly upstream: UpstreamStatus | undefined;
  /** Only if the stream has a transform. */
  readonly transform?: StreamTransformStatus | undefined;
  /** Only if the stream has a definition. */
  readonly definition?: StreamDefinitionStatus | undefined;
  readonly paused: boolean;
  /** Only if nodes share the store, as is `replication`. */
  readonly lease?: LeaseStatus | undefined;
  readonly replication?: ReplicationStatus | undefined;
  readonly ingestStats: IngestStats | undefined;
}

/** Everything at one moment. */
export interface Snapshot {
  readonly version: string;
  /** ms since 1970. */
  readonly now: number;
  readonly streams: readonly StreamSnapshot[];
  /** The connection to the engine that stores the logs; absent without an engine. */
  readonly store?: StoreConnection | undefined;
  /** Number of refused requests by error code, over all processes. */
  readonly refused: Readonly<Record<string, number>>;
  readonly routes: RoutesStatus;
  readonly deliveries: DeliveriesStatus;
  /** All running processes. */
  readonly processes: readonly ProcessSnapshot[];
  readonly limits: Pick<Limits, "connections" | "memory" | "lag">;
}

/** A process at one moment. */
export interface ProcessSnapshot extends ProcessStats {
  /** `primary`, or the worker's number; absent if there is only one process. */
  readonly worker?: string | undefined;
}

/** The sources of the values. Every member is read once per scrape. */
export interface MetricsSources {
  readonly version: string;
  /** By the names that metrics show: those of the configured streams, and the patterns of all others. */
  streams(): Iterable<
    readonly [
      string,
      Pick<
        ServedStream,
        "log" | "subscriberStats" | "upstream" | "transform" | "definition" | "paused" | "lease" | "replication"
      > & { count?(): number; ingestStats?(): IngestStats },
    ]
  >;
  store?(): Snapshot["store"];
  /** `undefined` while the statistics are not known. */
  ingestStats(stream: string): IngestStats | undefined;
  refused(): Snapshot["refused"];
  routes(): RoutesStatus;
  deliveries(): DeliveriesStatus;
  processes(): readonly ProcessSnapshot[];
  limits(): Snapshot["limits"];
}

/** Reads all sources. */
export function takeSnapshot(sources: MetricsSources): Snapshot {
  return {
    version: sources.version,
    now: Date.now(),
    streams: Array.from(sources.streams(), ([name, stream]) => ({
      name,
      subscriberStats: stream.subscriberStats(),
      log: stream.log.state(),
      count: stream.count?.(),
      upstream: stream.upstream(),
      transform: stream.transform(),
      definition: stream.definition(),
      paused: stream.paused() !== undefined,
      lease: stream.lease?.(),
      replication: stream.replication?.(),
      ingestStats: stream.ingestStats?.() ?? sources.ingestStats(name),
    })),
    store: sources.store?.(),
    refused: sources.refused(),
    routes: sources.routes(),
    deliveries: sources.deliveries(),
    processes: sources.processes(),
    limits: sources.limits(),
  };
}

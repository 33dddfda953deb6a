import type { DeliveriesStatus, DeliveryStatus, RoutesStatus, RouteStatus } from "../../../src/http/gateway-status.ts";
import { createMetrics } from "../../../src/metrics/create-metrics.ts";
import type { ServedStream } from "../../../src/http/gateway-context.ts";
import type { StoreConnection } from "../../../src/log/log.ts";
import type { MetricsSources, ProcessSnapshot, StreamSnapshot } from "../../../src/metrics/snapshot.ts";
import { createDurations } from "../../../src/util/durations.ts";
import { parseExposition, type ExposedMetric } from "../../support/exposition.ts";

/** A stream with an upstream, of which every number is another one. */
export function streamSnapshot(name: string): StreamSnapshot {
  return {
    name,
    subscriberStats: {
      subscribers: 3,
      lag: 7,
      unsent: 4096,
      delivered: 120,
      sentBytes: 24_000,
      replayed: 20,
      gaps: 2,
      filters: 19,
      filterErrors: 21,
      closed: {
        "client": 5,
        "stalled": 1,
        "drain": 0,
        "duration": 0,
        "store": 0,
        "token-expired": 4,
        "revoked": 0,
        "replaced": 0,
      },
    },
    log: { head: 60, earliest: 11, upstreamCursor: "secret-cursor", events: 50, bytes: 9000, lastTime: 1000 },
    upstream: {
      state: "waiting",
      target: "target-1",
      reconnects: 6,
      received: 70,
      repeated: 8,
      refused: 2,
      errors: 9,
      lastError: "upstream-connect",
      retryAt: 1,
      openedAt: undefined,
    },
    transform: {
      transformed: 21,
      dropped: 22,
      errors: { "transform-failed": 23, "transform-invalid": 24, "transform-timeout": 25 },
      lastError: "transform-timeout",
    },
    definition: { invalid: 26, lastInvalid: null },
    paused: true,
    lease: { leader: true, holder: "node-1", fence: 14, changes: { taken: 15, lost: 16, released: 17 } },
    replication: { connected: true, lag: 0.5, reconnects: 18, latency: createDurations() },
    ingestStats: {
      appendSeconds: { ...createDurations(), sum: 0 },
      appended: 61,
      failed: 13,
      ingestSeconds: createDurations(),
      lastEventAt: Date.now() - 5000,
    },
  };
}

/** A process of which every number is another one. */
export function processSnapshot(worker: string | undefined): ProcessSnapshot {
  return {
    worker,
    startedAt: 1_700_000_000,
    cpuUser: 1.5,
    cpuSystem: 0.25,
    resident: 90_000_000,
    heapUsed: 20_000_000,
    heapTotal: 30_000_000,
    bodies: 4096,
    external: 4_000_000,
    openFiles: 40,
    maxFiles: 1024,
    loopLag: 0.012,
    loopActive: 1.75,
  };
}

const targetCounts = { requests: 7, failures: 2, retries: 3, ejections: 1 };

/** A route with two targets. */
export const routeStatus: RouteStatus = {
  requests: 12,
  active: 4,
  failed: 5,
  responses: { "1xx": 0, "2xx": 6, "3xx": 0, "4xx": 0, "5xx": 5, "none": 1 },
  failures: { "target-failed": 3, "target-timeout": 2, "target-unavailable": 0 },
  shared: { streams: 4, connected: 3, subscribers: 90 },
  runs: { running: 2, started: 9, joined: 3, completed: 4, failed: 1, cancelled: 1, truncated: 1 },
  targets: {
    a: { state: "up", active: 2, waiting: 0, ...targetCounts },
    b: { state: "ejected", active: 1, waiting: 8, ...targetCounts },
  },
};

export interface Facts {
  readonly streams?: readonly StreamSnapshot[];
  readonly processes?: readonly ProcessSnapshot[];
  readonly refused?: Readonly<Record<string, number>>;
  readonly routes?: RoutesStatus;
  readonly deliveries?: DeliveriesStatus;
  readonly store?: StoreConnection | undefined;
}

export function sourcesOf({
  streams = [],
  processes = [processSnapshot(undefined)],
  refused = {},
  routes = {},
  deliveries = {},
  store = { connected: true, silence: 100, reconnects: 19 },
}: Facts): MetricsSources {
  const logOf = ({ log }: StreamSnapshot): Pick<ServedStream, "log"> => ({ log: { state: () => log } }) as never;
  return {
    version: "1.2.3",
    streams: () =>
      new Map(
        streams.map((stream) => [
          stream.name,
          {
            ...logOf(stream),
            ...(stream.count !== undefined && { count: () => stream.count! }),
            subscriberStats: () => stream.subscriberStats,
            upstream: () => stream.upstream,
            transform: () => stream.transform,
            definition: () => stream.definition,
            paused: () => (stream.paused ? "store-full" : undefined),
            lease: () => stream.lease,
            replication: stream.replication && (() => stream.replication!),
          },
        ]),
      ),
    store: () => store,
    ingestStats: (name) => streams.find((stream) => stream.name === name)?.ingestStats,
    refused: () => refused,
    routes: () => routes,
    deliveries: () => deliveries,
    processes: () => processes,
    limits: () => ({ connections: 10_000, memory: 1e9, lag: 250 }),
  };
}

/** A delivery with a value for each metric. */
export const deliveryStatus: DeliveryStatus = {
  stream: "prices",
  state: "active",
  cursor: "abc.10",
  lag: 2,
  waiting: 3,
  delivered: 4,
  failed: 5,
  failures: { "delivery-status": 5 },
  dead: 6,
  resent: 7,
  gaps: 8,
  lastError: null,
  lastDelivered: null,
  retryAt: null,
};

/** What is exposed of such facts. */
export async function exposed(facts: Facts): Promise<ReadonlyMap<string, ExposedMetric>> {
  return parseExposition((await createMetrics(sourcesOf(facts)).render()).text);
}

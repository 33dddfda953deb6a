import { eachStream, sample, type Metric, type Sample } from "./definition.ts";

/** Metrics of nodes that share a store. Absent without a shared store. */
export const clusterMetrics: readonly Metric[] = [
  {
    name: "spillway_leader",
    type: "gauge",
    help: "1 while this node holds the stream's lease and ingests it, else 0",
    labels: ["stream"],
    samples: eachStream(({ lease }) => lease && Number(lease.leader)),
  },
  {
    name: "spillway_lease_changes_total",
    type: "counter",
    help: "Leases that this node has taken, lost and released",
    labels: ["stream", "change"],
    samples: ({ streams }) =>
      streams.flatMap(({ name, lease }) =>
        Object.entries(lease?.changes ?? {}).map(([change, value]): Sample<number> => ({
          labels: { stream: name, change },
          value,
        })),
      ),
  },
  {
    name: "spillway_tail_latency_seconds",
    type: "histogram",
    help: "Time from an event's timestamp, by the clock of the node that appended it, to its arrival here; one sample per batch",
    labels: ["stream"],
    samples: eachStream(({ replication }) => replication?.latency),
  },
  {
    name: "spillway_store_connected",
    type: "gauge",
    help: "1 while the engine that stores the log is reachable, else 0",
    labels: [],
    samples: ({ store }) => sample({}, store && Number(store.connected)),
  },
  {
    name: "spillway_store_reconnects_total",
    type: "counter",
    help: "Number of reconnections to the engine after an outage",
    labels: [],
    samples: ({ store }) => sample({}, store?.reconnects),
  },
];

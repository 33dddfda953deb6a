import { eachStream, sample, type Metric, type Sample } from "./definition.ts";

/** What nodes that share a store know of it and of each other. Without such a store there is none of these. */
export const clusterMetrics: readonly Metric[] = [
  {
    name: "spillway_leader",
    type: "gauge",
    help: "1 while this node has the stream's lease and ingests it, else 0",
    labels: ["stream"],
    samples: eachStream(({ lease }) => lease && Number(lease.leader)),
  },
  {
    name: "spillway_lease_changes_total",
    type: "counter",
    help: "Leases that this node has taken, lost and given back",
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
    help: "From the time of an event, by the clock of the node that appended it, to its arrival here; one for each batch",
    labels: ["stream"],
    samples: eachStream(({ replication }) => replication?.latency),
  },
  {
    name: "spillway_store_connected",
    type: "gauge",
    help: "1 while the engine that has the log can be reached, else 0",
    labels: [],
    samples: ({ store }) => sample({}, store && Number(store.connected)),
  },
  {
    name: "spillway_store_reconnects_total",
    type: "counter",
    help: "How often the engine was reached again after an outage",
    labels: [],
    samples: ({ store }) => sample({}, store?.reconnects),
  },
];

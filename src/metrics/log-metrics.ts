import { eachStream, type Metric } from "./definition.ts";

/** Metrics of the logs. One process holds the logs, so these cover all processes. */
export const logMetrics: readonly Metric[] = [
  {
    name: "spillway_on_demand_streams",
    type: "gauge",
    help: "Streams of a pattern that exist, as far as this node knows",
    labels: ["stream"],
    samples: eachStream(({ count }) => count),
  },
  {
    name: "spillway_log_head",
    type: "gauge",
    help: "Number of the last event, counted from the beginning of the log",
    labels: ["stream"],
    samples: eachStream(({ log }) => log.head),
  },
  {
    name: "spillway_log_events",
    type: "gauge",
    help: "Events held",
    labels: ["stream"],
    samples: eachStream(({ log }) => log.events),
  },
  {
    name: "spillway_log_bytes",
    type: "gauge",
    help: "Bytes held, as retention counts them",
    labels: ["stream"],
    samples: eachStream(({ log }) => log.bytes),
  },
  {
    name: "spillway_log_last_event_timestamp_seconds",
    type: "gauge",
    help: "Unix time of the last append",
    labels: ["stream"],
    samples: eachStream(({ log }) => (log.lastTime === 0 ? undefined : log.lastTime / 1000)),
  },
  {
    name: "spillway_log_paused",
    type: "gauge",
    help: "1 while the log accepts no events",
    labels: ["stream"],
    samples: eachStream(({ paused }) => (paused ? 1 : 0)),
  },
  {
    name: "spillway_log_append_seconds",
    type: "histogram",
    help: "Time from the call of an append until its events are durable",
    labels: ["stream"],
    samples: eachStream(({ ingestStats }) => ingestStats?.appendSeconds),
  },
  {
    name: "spillway_log_appended_events_total",
    type: "counter",
    help: "Events appended",
    labels: ["stream"],
    samples: eachStream(({ ingestStats }) => ingestStats?.appended),
  },
  {
    name: "spillway_log_append_failures_total",
    type: "counter",
    help: "Appends that failed in the store, including retries",
    labels: ["stream"],
    samples: eachStream(({ ingestStats }) => ingestStats?.failed),
  },
];

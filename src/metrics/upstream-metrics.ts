import type { UpstreamStatus } from "../upstream/upstream.ts";
import { eachStream, type Metric, type Sample } from "./definition.ts";
import type { StreamSnapshot } from "./snapshot.ts";

const states = ["idle", "connecting", "open", "waiting", "stopped"] as const;

/** Metrics of streams that have an upstream. One process connects to it, so these cover all processes. */
export const upstreamMetrics: readonly Metric[] = [
  {
    name: "spillway_upstream_state",
    type: "gauge",
    help: "1 for the current state of the upstream, 0 for the others",
    labels: ["stream", "state"],
    samples: ({ streams }) => streams.flatMap(({ name, upstream }) => (upstream ? statesOf(name, upstream) : [])),
  },
  {
    name: "spillway_upstream_reconnects_total",
    type: "counter",
    help: "Connection attempts after a break",
    labels: ["stream"],
    samples: eachStream(({ upstream }) => upstream?.reconnects),
  },
  {
    name: "spillway_upstream_events_received_total",
    type: "counter",
    help: "Events received, including dropped ones",
    labels: ["stream"],
    samples: eachStream(({ upstream }) => upstream?.received),
  },
  {
    name: "spillway_upstream_events_repeated_total",
    type: "counter",
    help: "Events dropped because they were already durable",
    labels: ["stream"],
    samples: eachStream(({ upstream }) => upstream?.repeated),
  },
  {
    name: "spillway_upstream_events_refused_total",
    type: "counter",
    help: "Events dropped because they are invalid or have a reserved type",
    labels: ["stream"],
    samples: eachStream(({ upstream }) => upstream?.refused),
  },
  {
    name: "spillway_upstream_errors_total",
    type: "counter",
    help: "Failed attempts and broken streams",
    labels: ["stream"],
    samples: eachStream(({ upstream }) => upstream?.errors),
  },
  {
    name: "spillway_upstream_last_event_age_seconds",
    type: "gauge",
    help: "Time since the last event from the upstream; before the first one, since the last event in the log",
    labels: ["stream"],
    samples: eachStream((stream, { now }) => {
      const last = lastEvent(stream);
      return stream.upstream && last > 0 ? Math.max(0, now - last) / 1000 : undefined;
    }),
  },
  {
    name: "spillway_ingest_lag_seconds",
    type: "histogram",
    help: "Time from the arrival of a batch of events until it is durable",
    labels: ["stream"],
    samples: eachStream(({ upstream, ingestStats }) => upstream && ingestStats?.ingestSeconds),
  },
];

function statesOf(stream: string, upstream: UpstreamStatus): Sample<number>[] {
  return states.map((state) => ({ labels: { stream, state }, value: upstream.state === state ? 1 : 0 }));
}

function lastEvent({ ingestStats, log }: StreamSnapshot): number {
  return ingestStats?.lastEventAt ?? log.lastTime;
}

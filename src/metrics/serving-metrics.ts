import { eachStream, sample, type Metric } from "./definition.ts";

/** Codes reported as 0 from the start, so that the first refusal shows as an increase. */
const refusals = [
  "access-denied",
  "at-capacity",
  "authorize-unavailable",
  "body-too-large",
  "too-many-events",
  "credential-expired",
  "credential-invalid",
  "credential-required",
  "issuer-unavailable",
  "origin-denied",
  "overloaded",
  "rate-limited",
  "replay-busy",
  "shutting-down",
  "signature-expired",
  "signature-invalid",
  "ticket-invalid",
  "too-many-connections",
] as const;

/** Subscribers, deliveries and refused requests, over all processes. */
export const servingMetrics: readonly Metric[] = [
  {
    name: "spillway_subscribers",
    type: "gauge",
    help: "Live subscribers, including those that are still in replay",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.subscribers),
  },
  {
    name: "spillway_subscriber_lag_events",
    type: "gauge",
    help: "Number of events that the slowest subscriber is behind",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.lag),
  },
  {
    name: "spillway_unsent_bytes",
    type: "gauge",
    help: "Bytes queued for subscribers that have not left the process",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.unsent),
  },
  {
    name: "spillway_events_delivered_total",
    type: "counter",
    help: "Events written to subscribers, counted once per subscriber",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.delivered),
  },
  {
    name: "spillway_bytes_sent_total",
    type: "counter",
    help: "Bytes of events written to subscribers",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.sentBytes),
  },
  {
    name: "spillway_events_replayed_total",
    type: "counter",
    help: "Events delivered to subscribers that were behind",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.replayed),
  },
  {
    name: "spillway_gaps_announced_total",
    type: "counter",
    help: "Gaps announced to subscribers",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.gaps),
  },
  {
    name: "spillway_filters",
    type: "gauge",
    help: "Different filter expressions of subscribers and long polls",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.filters),
  },
  {
    name: "spillway_filter_errors_total",
    type: "counter",
    help: "Evaluations of a filter expression that had no result",
    labels: ["stream"],
    samples: eachStream(({ subscriberStats }) => subscriberStats.filterErrors),
  },
  {
    name: "spillway_subscriptions_closed_total",
    type: "counter",
    help: "Ended subscriptions, by reason",
    labels: ["stream", "reason"],
    samples: ({ streams }) =>
      streams.flatMap(({ name, subscriberStats }) =>
        Object.entries(subscriberStats.closed).map(([reason, value]) => ({ labels: { stream: name, reason }, value })),
      ),
  },
  {
    name: "spillway_requests_refused_total",
    type: "counter",
    help: "Requests answered with an error, by error code",
    labels: ["code"],
    samples: ({ refused }) =>
      Object.entries({ ...Object.fromEntries(refusals.map((code) => [code, 0])), ...refused }).map(([code, value]) => ({
        labels: { code },
        value,
      })),
  },
  {
    name: "spillway_connections_limit",
    type: "gauge",
    help: "Maximum number of subscriptions and held long polls over all streams",
    labels: [],
    samples: ({ limits }) => sample({}, limits.connections),
  },
];

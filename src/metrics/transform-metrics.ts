import { eachStream, type Metric } from "./definition.ts";

/** The metric of streams that have a definition. */
export const definitionMetrics: readonly Metric[] = [
  {
    name: "spillway_events_invalid_total",
    type: "counter",
    help: "Events that were stored although they do not match the stream's definition",
    labels: ["stream"],
    samples: eachStream(({ definition }) => definition?.invalid),
  },
];

/** Metrics of streams that have a transform. One process applies it to a stream, so these cover all processes. */
export const transformMetrics: readonly Metric[] = [
  {
    name: "spillway_transform_events_total",
    type: "counter",
    help: "Events that the transform got, without those for which an error stopped it",
    labels: ["stream"],
    samples: eachStream(({ transform }) => transform?.transformed),
  },
  {
    name: "spillway_transform_events_dropped_total",
    type: "counter",
    help: "Events that were not stored, because the transform returned none or failed",
    labels: ["stream"],
    samples: eachStream(({ transform }) => transform?.dropped),
  },
  {
    name: "spillway_transform_errors_total",
    type: "counter",
    help: "Errors of the transform, by error code",
    labels: ["stream", "code"],
    samples: ({ streams }) =>
      streams.flatMap(({ name, transform }) =>
        Object.entries(transform?.errors ?? {}).map(([code, value]) => ({ labels: { stream: name, code }, value })),
      ),
  },
];

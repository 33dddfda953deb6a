import { durationBounds, type Durations } from "../util/durations.ts";
import { clusterMetrics } from "./cluster-metrics.ts";
import type { Metric, Sample } from "./definition.ts";
import { deliveryMetrics } from "./delivery-metrics.ts";
import { logMetrics } from "./log-metrics.ts";
import { processMetrics } from "./process-metrics.ts";
import { routeMetrics } from "./route-metrics.ts";
import { servingMetrics } from "./serving-metrics.ts";
import { takeSnapshot, type MetricsSources, type Snapshot } from "./snapshot.ts";
import { definitionMetrics, transformMetrics } from "./transform-metrics.ts";
import { upstreamMetrics } from "./upstream-metrics.ts";

/** All metrics as a monitoring system reads them. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface Metrics {
  /** The values now, in Prometheus' text format 0.0.4. */
  render(): Promise<MetricsText>;
}

/** All metrics. */
export const allMetrics: readonly Metric[] = [
  ...servingMetrics,
  ...routeMetrics,
  ...deliveryMetrics,
  ...upstreamMetrics,
  ...transformMetrics,
  ...definitionMetrics,
  ...logMetrics,
  ...clusterMetrics,
  ...processMetrics,
];

/** Makes the metrics of these sources, which are read at each call of `render`. */
export function createMetrics(sources: MetricsSources): Metrics {
  return {
    render() {
      const snapshot = takeSnapshot(sources);
      return Promise.resolve({ contentType, text: allMetrics.map((metric) => textOf(metric, snapshot)).join("\n") });
    },
  };
}

const contentType = "text/plain; version=0.0.4; charset=utf-8";

function textOf(metric: Metric, snapshot: Snapshot): string {
  const { name, help, type } = metric;
  const lines = valuesOf(metric, snapshot).map(({ metricName = name, labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
    return `${metricName}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
  });
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function valuesOf(metric: Metric, snapshot: Snapshot): readonly Value[] {
  if (metric.type !== "histogram") return metric.samples(snapshot);
  return metric.samples(snapshot).flatMap((each) => series(metric.name, each));
}

/** A line of the text. `metricName` defaults to the name of its metric. */
interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The cumulative buckets of a histogram, its sum and its count. */
function series(name: string, { labels, value: { counts, sum } }: Sample<Durations>): Value[] {
  let count = 0;
  const buckets = counts.map((inBucket, index): Value => {
    count += inBucket;
    const le = durationBounds[index] ?? "+Inf";
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

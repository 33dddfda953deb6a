import { expect, test } from "vitest";
import { clusterMetrics } from "../../../src/metrics/cluster-metrics.ts";
import { allMetrics, createMetrics } from "../../../src/metrics/create-metrics.ts";
import { countDuration, countSince, createDurations, durationBounds } from "../../../src/util/durations.ts";
import { parseExposition, valueOf } from "../../support/exposition.ts";
import { deliveryStatus, exposed, processSnapshot, routeStatus, sourcesOf, streamSnapshot } from "./snapshots.ts";

test("the output is Prometheus' text format with every metric in it once", async () => {
  const { contentType, text } = await createMetrics(sourcesOf({ streams: [streamSnapshot("prices")] })).render();
  expect(contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  const metrics = parseExposition(text);
  expect([...metrics.keys()]).toEqual(allMetrics.map(({ name }) => name));
  for (const { name, type, help } of allMetrics) expect(metrics.get(name)).toMatchObject({ type, help });
});

test("a sample has the labels that its metric declares, and no others", async () => {
  const metrics = await exposed({
    streams: [streamSnapshot("prices"), { ...streamSnapshot("chat-*"), count: 22 }],
    processes: [processSnapshot("primary"), processSnapshot("1")],
    routes: { "/api/**": routeStatus },
    deliveries: { billing: deliveryStatus },
  });
  for (const { name, labels, type } of allMetrics) {
    const { samples } = metrics.get(name)!;
    expect(samples.length, name).toBeGreaterThan(0);
    for (const sample of samples) {
      const own = Object.keys(sample.labels).filter((label) => type !== "histogram" || label !== "le");
      expect(own.toSorted(), name).toEqual(labels.toSorted());
    }
  }
});

test("the metrics of a stream cover its subscribers, its log and its upstream", async () => {
  const metrics = await exposed({ streams: [streamSnapshot("prices"), streamSnapshot("news")] });
  const of = (name: string, labels = {}): number | undefined => valueOf(metrics, name, { stream: "prices", ...labels });
  expect({
    subscribers: of("spillway_subscribers"),
    lag: of("spillway_subscriber_lag_events"),
    unsent: of("spillway_unsent_bytes"),
    delivered: of("spillway_events_delivered_total"),
    bytes: of("spillway_bytes_sent_total"),
    replayed: of("spillway_events_replayed_total"),
    gaps: of("spillway_gaps_announced_total"),
    filters: of("spillway_filters"),
    filterErrors: of("spillway_filter_errors_total"),
    stalled: of("spillway_subscriptions_closed_total", { reason: "stalled" }),
    expired: of("spillway_subscriptions_closed_total", { reason: "token-expired" }),
    head: of("spillway_log_head"),
    events: of("spillway_log_events"),
    held: of("spillway_log_bytes"),
    paused: of("spillway_log_paused"),
    appended: of("spillway_log_appended_events_total"),
    failed: of("spillway_log_append_failures_total"),
    waiting: of("spillway_upstream_state", { state: "waiting" }),
    open: of("spillway_upstream_state", { state: "open" }),
    reconnects: of("spillway_upstream_reconnects_total"),
    received: of("spillway_upstream_events_received_total"),
    repeated: of("spillway_upstream_events_repeated_total"),
    refused: of("spillway_upstream_events_refused_total"),
    errors: of("spillway_upstream_errors_total"),
  }).toEqual({
    subscribers: 3,
    lag: 7,
    unsent: 4096,
    delivered: 120,
    bytes: 24_000,
    replayed: 20,
    gaps: 2,
    filters: 19,
    filterErrors: 21,
    stalled: 1,
    expired: 4,
    head: 60,
    events: 50,
    held: 9000,
    paused: 1,
    appended: 61,
    failed: 13,
    waiting: 1,
    open: 0,
    reconnects: 6,
    received: 70,
    repeated: 8,
    refused: 2,
    errors: 9,
  });
});

test("a stream without an upstream has no samples of one", async () => {
  const metrics = await exposed({ streams: [{ ...streamSnapshot("chat"), upstream: undefined }] });
  for (const [name, { samples }] of metrics) {
    if (name.startsWith("spillway_upstream_") || name.startsWith("spillway_ingest_")) expect(samples, name).toEqual([]);
  }
  expect(valueOf(metrics, "spillway_log_head", { stream: "chat" })).toBe(60);
});

test("with a shared store, the metrics cover the lease, the tail and the engine", async () => {
  const stream = streamSnapshot("prices");
  const replication = { ...stream.replication!, latency: createDurations() };
  countDuration(replication.latency, 3);
  const store = { connected: false, silence: 5000, reconnects: 19 };
  const metrics = await exposed({ streams: [{ ...stream, replication }], store });
  const of = (name: string, labels = {}): number | undefined => valueOf(metrics, name, { stream: "prices", ...labels });
  expect(of("spillway_leader")).toBe(1);
  const changes = ["taken", "lost", "released"].map((change) => of("spillway_lease_changes_total", { change }));
  expect(changes).toEqual([15, 16, 17]);
  const slow = ["2.5", "5"].map((le) => of("spillway_tail_latency_seconds_bucket", { le }));
  expect(slow).toEqual([0, 1]);
  expect(valueOf(metrics, "spillway_store_connected")).toBe(0);
  expect(valueOf(metrics, "spillway_store_reconnects_total")).toBe(19);
});

test("a store that is not shared has no such samples, and a stream without an upstream has none of a lease", async () => {
  const stream = streamSnapshot("prices");
  const alone = { ...stream, lease: undefined, replication: undefined };
  const sources = { ...sourcesOf({ streams: [alone] }), store: () => undefined };
  const metrics = parseExposition((await createMetrics(sources).render()).text);
  for (const { name } of clusterMetrics) expect(metrics.get(name)!.samples, name).toEqual([]);
  const published = await exposed({ streams: [{ ...stream, upstream: undefined, lease: undefined }] });
  expect(published.get("spillway_leader")!.samples).toEqual([]);
  expect(published.get("spillway_lease_changes_total")!.samples).toEqual([]);
});

test("the age of the last event is measured from the upstream's last, or from the log's last before the first", async () => {
  const known = streamSnapshot("known");
  const fresh = { ...known, name: "fresh", ingestStats: { ...known.ingestStats!, lastEventAt: undefined } };
  const empty = { ...fresh, name: "empty", log: { ...known.log, lastTime: 0 } };
  const metrics = await exposed({ streams: [known, fresh, empty] });
  const age = (stream: string): number | undefined =>
    valueOf(metrics, "spillway_upstream_last_event_age_seconds", { stream });
  expect(age("known")).toBeGreaterThanOrEqual(5);
  expect(age("known")).toBeLessThan(600);
  expect(age("fresh")).toBeGreaterThan(1e9);
  expect(age("empty")).toBeUndefined();
});

test("a duration is counted in the smallest bucket that fits, and in all larger ones", async () => {
  const durations = createDurations();
  const ago = (seconds: number): void => countSince(durations, performance.now() - seconds * 1000);
  for (const seconds of [0.2, 0.2, 7, 3600]) ago(seconds);
  const stream = streamSnapshot("prices");
  const metrics = await exposed({
    streams: [{ ...stream, ingestStats: { ...stream.ingestStats!, appendSeconds: durations } }],
  });
  const bucket = (le: string): number | undefined => valueOf(metrics, "spillway_log_append_seconds_bucket", { le });
  expect(["0.1", "0.25", "5", "10", "+Inf"].map(bucket)).toEqual([0, 2, 2, 3, 4]);
  expect(valueOf(metrics, "spillway_log_append_seconds_count")).toBe(4);
  expect(valueOf(metrics, "spillway_log_append_seconds_sum")).toBeGreaterThanOrEqual(3607.4);
  expect(metrics.get("spillway_log_append_seconds")!.samples).toHaveLength(durationBounds.length + 3);
});

test("refusals are counted by code, and the known codes exist before the first one", async () => {
  const metrics = await exposed({ refused: { "rate-limited": 4, "uri-too-long": 1 } });
  const refused = (code: string): number | undefined => valueOf(metrics, "spillway_requests_refused_total", { code });
  expect(["rate-limited", "uri-too-long", "at-capacity", "gap"].map(refused)).toEqual([4, 1, 0, undefined]);
});

test("a route has its requests by status and code, and its targets", async () => {
  const metrics = await exposed({ routes: { "/api/**": routeStatus } });
  const of = (name: string, labels = {}): number | undefined =>
    valueOf(metrics, `spillway_route_${name}`, { route: "/api/**", ...labels });
  expect(["2xx", "5xx", "none"].map((status) => of("requests_total", { status }))).toEqual([6, 5, 1]);
  expect(of("active")).toBe(4);
  expect(of("failures_total", { code: "target-timeout" })).toBe(2);
  expect(["a", "b"].map((target) => of("target_up", { target }))).toEqual([1, 0]);
  expect(of("target_active", { target: "a" })).toBe(2);
  expect(of("target_waiting", { target: "b" })).toBe(8);
  const target = "a";
  expect(
    ["requests_total", "failures_total", "ejections_total"].map((name) => of(`target_${name}`, { target })),
  ).toEqual([7, 2, 1]);
  expect(of("retries_total", { target })).toBe(3);
});

test("with workers each process has its own samples, distinguished by a label; a single process has no label", async () => {
  const alone = await exposed({});
  expect(alone.get("process_resident_memory_bytes")!.samples).toEqual([
    { name: "process_resident_memory_bytes", labels: {}, value: 90_000_000 },
  ]);
  const several = await exposed({ processes: ["primary", "1", "2"].map(processSnapshot) });
  const workers = several.get("process_cpu_seconds_total")!.samples.map(({ labels }) => labels["worker"]);
  expect(workers).toEqual(["primary", "1", "2"]);
});

test("label values are escaped", async () => {
  const name = 'a"b\\c\nd';
  const metrics = await exposed({ streams: [streamSnapshot(name)] });
  expect(valueOf(metrics, "spillway_subscribers", { stream: name })).toBe(3);
});

test("a limit that is not set has no sample", async () => {
  const sources = { ...sourcesOf({}), limits: () => ({ connections: 5, memory: undefined, lag: undefined }) };
  const metrics = parseExposition((await createMetrics(sources).render()).text);
  expect(metrics.get("spillway_memory_limit_bytes")!.samples).toEqual([]);
  expect(metrics.get("spillway_event_loop_lag_limit_seconds")!.samples).toEqual([]);
  expect(valueOf(metrics, "spillway_connections_limit")).toBe(5);
});

test("of a delivery that runs on another node there are no metrics", async () => {
  const metrics = await exposed({
    deliveries: { here: { ...deliveryStatus, leader: true }, there: { ...deliveryStatus, leader: false } },
  });
  const delivered = metrics.get("spillway_delivery_webhooks_total")!.samples;
  expect(delivered.map(({ labels, value }) => [labels, value])).toEqual([[{ delivery: "here" }, 4]]);
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { parseExposition, valueOf, type ExposedMetric } from "../../support/exposition.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startWorkers, untilEnded, type WorkersServer } from "../../support/workers.ts";

const everything = ["subscribe", "publish", "admin"] as const;

let folder: string;
let source: NumberedUpstream;
let gateway: Gateway | undefined;
let server: WorkersServer | undefined;
let url: string;
let readings: Reading[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-"));
  source = await startNumberedUpstream({ retry: 10 });
  readings = [];
});

afterEach(async () => {
  await Promise.all(readings.map((reading) => reading.cancel().catch(() => {})));
  await gateway?.close();
  await server?.close();
  [gateway, server] = [undefined, undefined];
  await source.close();
  await rm(folder, { recursive: true });
});

async function start(config: Partial<GatewayConfig> = {}): Promise<void> {
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: `sqlite:${folder}/log.db`,
    access: { anonymous: [...everything] },
    streams: { numbers: { upstream: { url: source.url, backoff: { min: 5, max: 50 } } }, chat: {} },
    ...config,
  });
  url = `http://127.0.0.1:${(await gateway.listen()).port}`;
}

async function subscribe(stream: string, query = ""): Promise<Reading> {
  const headers = { accept: "text/event-stream", connection: "close" };
  const reading = read(await fetch(`${url}/streams/${stream}${query}`, { headers }));
  await reading.until(({ events }) => events.length > 0);
  readings.push(reading);
  return reading;
}

/** The exposed metrics, parsed as strictly as by Prometheus. */
async function metrics(): Promise<ReadonlyMap<string, ExposedMetric>> {
  const response = await fetch(`${url}/metrics`, { headers: { connection: "close" } });
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseExposition(await response.text());
}

const ask = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> =>
  valueOf(await metrics(), name, labels);

test("metrics need the admin right", async () => {
  await start({ access: { anonymous: ["subscribe"] } });
  const { status } = await fetch(`${url}/metrics`);
  expect([401, 403]).toContain(status);
});

test("subscribers, deliveries, replay and the log are counted", async () => {
  await start();
  await gateway!.publish("chat", [{ data: "a" }, { data: "b" }]);
  await gateway!.publish("chat", { data: "c" });
  const replayed = await subscribe("chat", "?after=earliest");
  const live = await subscribe("chat");
  await gateway!.publish("chat", { data: "d" });
  await replayed.until(() => replayed.data().length === 4);
  await live.until(() => live.data().length === 1);
  const chat = { stream: "chat" };
  const now = await metrics();
  expect(valueOf(now, "spillway_subscribers", chat)).toBe(2);
  expect(valueOf(now, "spillway_events_delivered_total", chat)).toBe(5);
  expect(valueOf(now, "spillway_events_replayed_total", chat)).toBe(3);
  expect(valueOf(now, "spillway_bytes_sent_total", chat)).toBeGreaterThan(50);
  expect(valueOf(now, "spillway_log_head", chat)).toBe(4);
  expect(valueOf(now, "spillway_log_events", chat)).toBe(4);
  expect(valueOf(now, "spillway_log_appended_events_total", chat)).toBe(4);
  expect(valueOf(now, "spillway_log_append_seconds_count", chat)).toBe(3);
  expect(valueOf(now, "spillway_log_append_seconds_sum", chat)).toBeGreaterThan(0);
  expect(valueOf(now, "spillway_log_paused", chat)).toBe(0);
  expect(valueOf(now, "spillway_subscribers", { stream: "numbers" })).toBe(0);
  await live.cancel();
  await eventually(
    async () => (await ask("spillway_subscriptions_closed_total", { ...chat, reason: "client" })) === 1,
    "the end of one",
  );
  expect(await ask("spillway_subscribers", chat)).toBe(1);
});

test("a repeated append with an idempotency key counts no event twice", async () => {
  await start();
  const publish = (): Promise<Response> =>
    fetch(`${url}/streams/chat/events`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "k" },
      body: JSON.stringify({ data: "a" }),
    });
  await publish();
  await publish();
  expect(await ask("spillway_log_appended_events_total", { stream: "chat" })).toBe(1);
});

test("an announced gap is counted", async () => {
  await start();
  await gateway!.publish("chat", { data: "a" });
  await subscribe("chat", "?after=abcdef.1");
  expect(await ask("spillway_gaps_announced_total", { stream: "chat" })).toBe(1);
});

test("the upstream's state, events and breaks are counted, and the time until events are durable", async () => {
  await start();
  const numbers = { stream: "numbers" };
  await eventually(async () => (await ask("spillway_upstream_state", { ...numbers, state: "open" })) === 1, "the flow");
  source.control({ emit: 20 });
  await eventually(async () => (await ask("spillway_log_head", numbers)) === 20, "20 events");
  let now = await metrics();
  expect(valueOf(now, "spillway_upstream_events_received_total", numbers)).toBe(20);
  expect(valueOf(now, "spillway_ingest_lag_seconds_count", numbers)).toBeGreaterThan(0);
  expect(valueOf(now, "spillway_upstream_last_event_age_seconds", numbers)).toBeLessThan(600);
  expect(valueOf(now, "spillway_upstream_state", { ...numbers, state: "waiting" })).toBe(0);
  expect(now.get("spillway_upstream_state")!.samples.map(({ labels }) => labels["stream"])).not.toContain("chat");
  source.control({ drop: "reset" });
  await eventually(async () => (await ask("spillway_upstream_reconnects_total", numbers))! >= 1, "a reconnect");
  now = await metrics();
  expect(valueOf(now, "spillway_upstream_errors_total", numbers)).toBeGreaterThan(0);
});

test("a refused request is counted by its code", async () => {
  await start();
  await fetch(`${url}/streams/none`);
  await fetch(`${url}/streams/none`);
  await fetch(`${url}/streams/chat?on-gap=x`);
  const now = await metrics();
  expect(valueOf(now, "spillway_requests_refused_total", { code: "stream-unknown" })).toBe(2);
  expect(valueOf(now, "spillway_requests_refused_total", { code: "request-invalid" })).toBe(1);
  expect(valueOf(now, "spillway_requests_refused_total", { code: "at-capacity" })).toBe(0);
});

test("clients cannot create additional series, whatever they send", async () => {
  await start();
  const shape = async (): Promise<string[]> =>
    [...(await metrics()).values()].flatMap(({ samples }) =>
      samples.map(({ name, labels }) => name + JSON.stringify(labels)),
    );
  await gateway!.publish("chat", { data: "a" });
  await fetch(`${url}/streams/none-0`);
  await fetch(`${url}/streams/chat?on-gap=x`);
  const before = await shape();
  for (let n = 1; n <= 20; n++) {
    await fetch(`${url}/streams/none-${n}`, {
      headers: { "x-forwarded-for": `10.0.0.${n}`, "user-agent": `agent-${n}` },
    });
    await fetch(`${url}/nowhere-${n}`);
    await subscribe("chat", `?channels=channel-${n}&after=earliest`);
    await fetch(`${url}/streams/chat?on-gap=${n}`);
  }
  await gateway!.publish("chat", { data: "a", channel: "c", event: "e" });
  expect(await shape()).toEqual(before);
  expect(before.join()).toContain("request-invalid");
});

test("there are metrics of the process", async () => {
  await start();
  const now = await metrics();
  expect(valueOf(now, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(valueOf(now, "process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(valueOf(now, "process_start_time_seconds")).toBeGreaterThan(1e9);
  expect(valueOf(now, "spillway_build_info", { node: process.versions.node })).toBe(1);
  expect(valueOf(now, "spillway_connections_limit")).toBeGreaterThan(0);
  const late = async (): Promise<boolean> => {
    const begun = performance.now();
    while (performance.now() - begun < 100);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return (await ask("spillway_event_loop_lag_seconds"))! >= 0.04;
  };
  await eventually(late, "a loop that is late");
});

test("with workers the numbers are totals, whichever worker is asked", async () => {
  server = await startWorkers(2, { streams: { chat: {} }, access: { anonymous: [...everything] } });
  ({ url } = server);
  for (let n = 0; n < 6; n++) await subscribe("chat");
  await server.publish("chat", [{ data: "a" }, { data: "b" }]);
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 2)));
  for (let n = 0; n < 4; n++) await (await fetch(`${url}/streams/none`, { headers: { connection: "close" } })).text();
  for (let asked = 0; asked < 4; asked++) {
    const now = await metrics();
    expect(valueOf(now, "spillway_subscribers", { stream: "chat" })).toBe(6);
    expect(valueOf(now, "spillway_events_delivered_total", { stream: "chat" })).toBe(12);
    expect(valueOf(now, "spillway_requests_refused_total", { code: "stream-unknown" })).toBe(4);
    expect(valueOf(now, "spillway_log_appended_events_total", { stream: "chat" })).toBe(2);
    const memory = now.get("process_resident_memory_bytes")!.samples;
    expect(memory.map(({ labels }) => String(labels["worker"])).toSorted()).toEqual(["1", "2", "primary"]);
  }
});

test("the counts of a worker that dies are kept", async () => {
  server = await startWorkers(2, { streams: { chat: {} }, access: { anonymous: [...everything] } });
  ({ url } = server);
  for (let n = 0; n < 4; n++) await subscribe("chat");
  for (let n = 0; n < 4; n++) await (await fetch(`${url}/streams/none`, { headers: { connection: "close" } })).text();
  await server.publish("chat", { data: "a" });
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 1)));
  expect(await ask("spillway_events_delivered_total", { stream: "chat" })).toBe(4);
  const [victim] = await server.pids();
  process.kill(victim!, "SIGKILL");
  await untilEnded([victim!]);
  await eventually(async () => {
    const { workers } = await server!.status();
    return workers.length === 2 && !workers.some(({ pid }) => pid === victim);
  }, "a replacement");
  const now = await metrics();
  expect(valueOf(now, "spillway_events_delivered_total", { stream: "chat" })).toBe(4);
  expect(valueOf(now, "spillway_requests_refused_total", { code: "stream-unknown" })).toBe(4);
  expect(valueOf(now, "spillway_subscribers", { stream: "chat" })).toBeLessThan(4);
});

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createGateway,
  type Gateway,
  type GatewayConfig,
  type Logger,
  type StreamConfig,
  type StreamStatus,
  type StreamUpstreamStatus,
} from "spillway";
import { startNumberedClient } from "../../support/numbered-client.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";

const key = "k3y-that-must-stay-inside";

let folder: string;
let source: NumberedUpstream;
let gateway: Gateway;
let base: string;
let logged: string;

const record = (level: string) => (fields: object, message: string) => {
  logged += `${level} ${message} ${JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? Object.assign({ message: value.message, stack: value.stack }, value) : value))}\n`;
};
const logger: Logger = { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-"));
  source = await startNumberedUpstream({ retry: 10 });
  logged = "";
});

afterEach(async () => {
  await gateway.close();
  await source.close();
  await rm(folder, { recursive: true });
});

async function start(upstream: StreamConfig["upstream"], more: Partial<GatewayConfig> = {}): Promise<void> {
  gateway = await createGateway(
    {
      listen: "127.0.0.1:0",
      store: `sqlite:${folder}/log.db`,
      access: { anonymous: ["subscribe", "admin"] },
      streams: { numbers: { upstream: { backoff: { min: 5, max: 50 }, ...upstream } } },
      ...more,
    },
    { logger },
  );
  const { port } = await gateway.listen();
  base = `http://127.0.0.1:${port}`;
}

const get = async (path: string): Promise<Record<string, unknown>> =>
  (await (await fetch(base + path)).json()) as Record<string, unknown>;

type FedStream = StreamStatus & { readonly upstream: StreamUpstreamStatus };
const statusOf = (name = "numbers"): FedStream => gateway.status().streams[name] as FedStream;

test("200 clients are served by a single upstream connection", async () => {
  await start({ url: source.url });
  const clients = Array.from({ length: 200 }, () => startNumberedClient(`${base}/streams/numbers`));
  source.control({ emit: 100 });
  await eventually(() => clients.every(({ last }) => last === 100), "100 events everywhere");
  for (const client of clients) client.close();
  expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
  expect(source.state().connections).toHaveLength(1);
});

test("on demand, the upstream opens with the first subscriber and closes after the linger", async () => {
  await start({ url: source.url, connect: "on-demand", linger: 100 });
  expect(source.state().connections).toHaveLength(0);
  const first = read(await fetch(`${base}/streams/numbers`));
  await eventually(() => source.state().open === 1);
  const second = read(await fetch(`${base}/streams/numbers`));
  await first.cancel();
  source.control({ emit: 1 });
  await second.until(() => second.data().length === 1);
  expect(source.state().connections).toHaveLength(1);
  await second.cancel();
  await eventually(() => source.state().sockets === 0, "the upstream closed");
  expect(statusOf().upstream.state).toBe("idle");

  // What came meanwhile is not lost: the next subscriber opens it again, from where it stopped.
  source.control({ emit: 2 });
  const third = read(await fetch(`${base}/streams/numbers?after=earliest`));
  await third.until(() => third.data().length === 3);
  expect(third.controls("spillway.gap")).toEqual([]);
  await third.cancel();
});

test("a long poll and an iterator also count as demand", async () => {
  await start({ url: source.url, connect: "on-demand", linger: 10 });
  const poll = fetch(`${base}/streams/numbers?wait=20`, { headers: { accept: "application/json" } });
  await eventually(() => source.state().open === 1);
  source.control({ emit: 1 });
  expect(await (await poll).json()).toMatchObject({ events: [{ upstreamId: "1" }] });
  await eventually(() => source.state().sockets === 0);
  const stop = new AbortController();
  const iterator = gateway.subscribe("numbers", { signal: stop.signal })[Symbol.asyncIterator]();
  const next = iterator.next();
  await eventually(() => source.state().open === 1);
  source.control({ emit: 1 });
  expect((await next).value).toMatchObject({ upstreamId: "2" });
  stop.abort();
  expect(await iterator.next()).toMatchObject({ done: true });
  await eventually(() => source.state().sockets === 0);
});

test("the upstream's address and key appear in no response, page, metric or log line", async () => {
  const url = `${source.origin}/secret-path?api-key=${key}`;
  await start({ url, resume: { query: "last-id" }, headers: { authorization: `Bearer ${key}` } });
  await eventually(() => source.state().open === 1);
  source.control({ emit: 1 });
  const seen: string[] = [];
  const reading = read(await fetch(`${base}/streams/numbers?after=earliest`));
  await reading.until(() => reading.data().length === 1);
  for (const answer of [{ status: 500, body: key }, { status: 301, headers: { location: `/${key}` } }, { body: "x" }]) {
    source.control({ next: [answer], drop: "reset" });
    const before = statusOf().upstream.reconnects;
    await eventually(() => source.state().open === 1 && statusOf().upstream.reconnects > before);
  }
  await source.close();
  await eventually(() => statusOf().upstream.lastError === "upstream-connect");
  const paths = [
    "/status",
    "/streams",
    "/api/status",
    "/api/metrics",
    "/readyz",
    "/healthz",
    "/none",
    "/streams/x",
    "/",
  ];
  for (const path of paths) {
    const response = await fetch(base + path);
    seen.push(JSON.stringify([...response.headers]), await response.text());
  }
  seen.push(JSON.stringify(reading.events), JSON.stringify([...reading.response.headers]), logged);
  for (const secret of [key, "secret-path", new URL(source.origin).host]) expect(seen.join("\n")).not.toContain(secret);
  expect(logged).toContain("upstream-");
  await reading.cancel();
});

test("subscribers are informed once when the upstream breaks and once when it is connected again", async () => {
  await start({ url: source.url });
  await eventually(() => statusOf().upstream.state === "open");
  const reading = read(await fetch(`${base}/streams/numbers`));
  await reading.until(({ events }) => events.length === 1);
  source.control({ next: [{ status: 503 }, { status: 503 }, { status: 503 }], drop: "reset" });
  await reading.until(() => reading.controls("spillway.upstream").length === 2);
  source.control({ emit: 1 });
  await reading.until(() => reading.data().length === 1);
  expect(reading.controls("spillway.upstream")).toEqual([{ state: "waiting" }, { state: "open" }]);
  await reading.cancel();
});

test("with a source without ids, each break leaves an announced gap before the next event, for live and later clients", async () => {
  source.control({ set: { idEvery: 0 } });
  await start({ url: source.url });
  await eventually(() => source.state().open === 1);
  const live = read(await fetch(`${base}/streams/numbers?channels=none`));
  source.control({ emit: 2 });
  await eventually(() => statusOf().head.endsWith(".2"));
  source.control({ drop: "end" });
  await live.until(() => live.controls("spillway.gap").length === 1);
  await eventually(() => source.state().open === 1);
  source.control({ emit: 1 });
  const late = read(await fetch(`${base}/streams/numbers?after=earliest`));
  await late.until(() => late.data().length === 3);
  const names = late.events.map(({ event }) => event);
  expect(names).toEqual(["connected", "message", "message", "spillway.gap", "message"]);
  const gap = { reason: "upstream", requested: null, earliest: null, lost: null };
  expect(late.controls("spillway.gap")).toEqual([gap]);
  expect(live.controls("spillway.gap")).toEqual([gap]);
  await live.cancel();
  await late.cancel();
});

test("an invalid upstream is reported by a code, uses bounded memory, and does not affect other streams", async () => {
  const other = await startNumberedUpstream();
  await start(undefined, {
    streams: {
      bad: {
        upstream: { url: source.url, maxEventBytes: "64KiB", backoff: { min: 5, max: 20 }, timeouts: { idle: 200 } },
      },
      good: { upstream: { url: other.url } },
    },
  });
  await eventually(() => statusOf("good").upstream.state === "open");
  const cases = [
    { answer: { flood: "data: endless" }, code: "sse-event-too-large" },
    { answer: { flood: "data: endless\n" }, code: "sse-event-too-large" },
    { answer: { headers: { "content-type": "text/html" }, body: "<p>" }, code: "upstream-content-type" },
    { answer: { status: 404 }, code: "upstream-status" },
    { answer: { status: 302, headers: { location: "/events" } }, code: "upstream-redirect" },
    { answer: { body: "data: half", then: "silence" as const }, code: "upstream-timeout" },
    { answer: { body: "data: half", then: "reset" as const }, code: "upstream-ended" },
  ];
  for (const { answer, code } of cases) {
    source.control({ always: answer, drop: "reset" });
    await eventually(() => statusOf("bad").upstream.lastError === code, code);
    expect(logged).toContain(code);
  }
  source.control({ always: { body: [0xff, 0xfe, 0x00, 0x0a, 0x0d, 0xf0, 0x0a, 0x0a] } });
  other.control({ emit: 3 });
  await eventually(() => statusOf("good").head.endsWith(".3"));
  source.control({ always: null, drop: "reset", emit: 1 });
  await eventually(() => statusOf("bad").head.endsWith(".1"), "recovery");
  expect(statusOf("good").upstream).toMatchObject({ reconnects: 0, state: "open" });
  await gateway.close();
  await other.close();
});

test("the endpoints of common single-stream proxies work: /api/sse, /api/status, /api/metrics, /health", async () => {
  await start({ url: source.url });
  await eventually(() => statusOf().upstream.state === "open");
  expect(await get("/api/status")).toMatchObject({ status: "ok", lastMessageId: null, lastUpdated: null });
  const reading = read(await fetch(`${base}/api/sse`));
  await reading.until(({ events }) => events.length === 1);
  source.control({ emit: 2 });
  await reading.until(() => reading.data().length === 2);
  expect(await get("/api/status")).toEqual({
    status: "ok",
    upstreamConnection: "OPEN",
    clientConnections: 1,
    lastMessageId: "2",
    lastUpdated: expect.any(String) as string,
  });
  expect(await get("/api/metrics")).toEqual({ eventsReceived: 2, eventsBroadcast: 2, errors: 0, reconnections: 0 });
  for (const path of ["/healthz", "/readyz"]) expect(await get(path)).toEqual({ status: "ok" });
  const { timestamp, ...health } = await get("/health");
  expect(health).toEqual({ status: "ok", uptime: expect.any(Number) as number });
  expect(new Date(timestamp as string).toISOString()).toBe(timestamp);
  await reading.cancel();
});

test("requests that the client's rights do not cover are refused with a code", async () => {
  await start({ url: source.url }, { access: { anonymous: ["subscribe"] } });
  expect((await fetch(`${base}/streams`)).status).toBe(200);
  for (const [path, method] of [
    ["/status", "GET"],
    ["/streams/numbers/events", "POST"],
  ] as const) {
    const response = await fetch(base + path, { method });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "access-denied" });
  }
});

test("headers beyond Node's limit are also answered with a problem", async () => {
  await start({ url: source.url });
  const response = await fetch(`${base}/streams`, { headers: { "x-long": "x".repeat(20_000) } });
  expect(response.status).toBe(431);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(await response.json()).toMatchObject({ code: "request-invalid", field: "headers" });
});

test("a gateway can follow another one: it understands control events, and events are delivered once", async () => {
  const first = await createGateway({ listen: "127.0.0.1:0", store: "memory:", streams: { numbers: {} } });
  const { port } = await first.listen();
  await start({ url: `http://127.0.0.1:${port}/streams/numbers` });
  await eventually(() => statusOf().upstream.state === "open");
  await first.publish("numbers", [{ data: "a", event: "trade" }, { data: "b" }]);
  const reading = read(await fetch(`${base}/streams/numbers?after=earliest`));
  await reading.until(() => reading.data().length === 2);
  expect(reading.events.map(({ event }) => event)).toEqual(["connected", "trade", "message"]);
  await reading.cancel();
  await first.close();
});

test("closing ends long polls and iterators at once", async () => {
  await start({ url: source.url });
  const poll = fetch(`${base}/streams/numbers?wait=50`, { headers: { accept: "application/json" } });
  const next = gateway.subscribe("numbers")[Symbol.asyncIterator]().next();
  await eventually(() => source.state().open === 1);
  await new Promise((resolve) => setImmediate(resolve));
  await gateway.close();
  expect((await next).done).toBe(true);
  await poll.catch(() => {});
});

test("a stream of another server is delivered: comments, CRLF, multi-line data, a BOM", async () => {
  const open = new Set<ServerResponse>();
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "Text/Event-Stream; charset=utf-8" });
    response.write("\uFEFF: hi\r\n\r\nid: a\r\nevent: e\r\ndata: ü1\r\ndata\r\n\r\ndata: 2\r\r\n");
    open.add(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await start({ url: `http://127.0.0.1:${portOf(server)}/` });
  const reading = read(await fetch(`${base}/streams/numbers?after=earliest`));
  await reading.until(() => reading.data().length === 2);
  expect(reading.data()).toEqual(["ü1\n", "2"]);
  await reading.cancel();
  server.closeAllConnections();
  server.close();
});

test("a source that is not a Spillway cannot announce gaps: its events of reserved types are dropped, counted and logged", async () => {
  const forgeable = ["spillway.gap", "spillway.reset", "spillway.bye"];
  const forged = forgeable.map((type) => `event: ${type}\ndata: {"n":0}\n\n`);
  const body = `data: {"n":1}\n\n${forged.join("")}data: {"n":2}\n\n`;
  source.control({ next: [{ body, then: "silence" }] });
  await start({ url: source.url });
  const reading = read(await fetch(`${base}/streams/numbers?after=earliest&events=message`));
  await reading.until(() => reading.data().length === 2);
  expect(forgeable.flatMap((type) => reading.controls(type))).toEqual([]);
  expect(statusOf().head.split(".")[1]).toBe("2");
  expect(statusOf().upstream).toMatchObject({ received: 5, refused: 3 });
  expect(logged.split("\n").filter((line) => line.includes("spillway."))).toEqual([
    expect.stringMatching(/^warn the source sent an event whose type begins with spillway\. .*Spillway-Resume/),
  ]);
  await reading.cancel();
});

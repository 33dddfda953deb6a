import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig, type RouteConfig } from "spillway";
import type { LogStore } from "spillway/log";
import { createMemoryStore } from "spillway/memory";
import { startNumberedUpstream } from "../../support/numbered-upstream.js";
import { portOf } from "../../support/ports.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startReloadable } from "../../support/reloadable.ts";
import { startStreamOrigin } from "./origin.ts";

/** How often the gateway is killed. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 3);

async function start(url: string, route: Partial<RouteConfig> = {}, config: GatewayConfig = {}): Promise<Gateway> {
  const gateway = await createGateway({
    store: "memory:",
    routes: { "/**": { upstream: { url }, access: "none", share: true, ...route } },
    ...config,
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

type Headers = Readonly<Record<string, string>>;

const request = (gateway: Gateway, path: string, headers: Headers = {}): Promise<Response> =>
  gateway.fetch(new Request(`http://localhost${path}`, { headers: { accept: "text/event-stream", ...headers } }));

async function follow(gateway: Gateway, path = "/feed", headers: Headers = {}): Promise<Reading> {
  const reading = read(await request(gateway, path, headers));
  onTestFinished(() => reading.cancel().catch(() => {}));
  return reading.until(({ events }) => events.length > 0);
}

const lastId = ({ events }: Reading): string => events.findLast(({ id }) => id !== undefined)!.id!;

const shared = (gateway: Gateway): object | undefined => gateway.status().routes["/**"]!.shared;

test("clients with equal requests share one request to the target", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url, {}, { access: { anonymous: ["admin"] } });
  const together = await Promise.all([follow(gateway), follow(gateway)]);
  await Promise.all(together.map((reading) => reading.until(() => reading.data().length === 1)));
  const later = await follow(gateway);
  origin.send("a");
  const all = [...together, later];
  await Promise.all(all.map((reading) => reading.until(() => reading.data().includes("a"))));
  // Who has waited for the response gets all of it.
  expect(all.map((reading) => reading.data())).toEqual([["hello", "a"], ["hello", "a"], ["a"]]);
  expect(later.controls("connected")).toMatchObject([{ stream: "/**" }]);
  expect(origin.requests).toHaveLength(1);
  expect(shared(gateway)).toEqual({ streams: 1, connected: 1, subscribers: 3 });
  const metrics = await gateway.fetch(new Request("http://localhost/metrics"));
  expect(await metrics.text()).toContain('spillway_route_shared_subscribers{route="/**"} 3');
});

test("a client that resumes gets exactly what it has missed, in place of another request", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url);
  const first = await follow(gateway);
  await first.until(() => first.data().length === 1);
  await first.cancel();
  origin.send("a");
  origin.send("b");
  const byHeader = await follow(gateway, "/feed", { "last-event-id": lastId(first) });
  const byQuery = await follow(gateway, `/feed?last-event-id=${lastId(first)}`);
  for (const reading of [byHeader, byQuery]) {
    await reading.until(() => reading.data().length === 2);
    expect(reading.data()).toEqual(["a", "b"]);
    expect(reading.response.headers.get("spillway-resume")).toBe("resumed");
  }
  expect(origin.requests.map(({ url }) => url)).toEqual(["/feed"]);
});

test("requests that differ in path, query or a forwarded header are not shared", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url);
  const distinct: [string, Headers][] = [
    ["/feed", {}],
    ["/feed?a=1", {}],
    ["/feed/", {}],
    ["/feed", { authorization: "Bearer a" }],
    ["/feed", { authorization: "Bearer b" }],
    ["/feed", { cookie: "session=a" }],
    ["/feed", { "accept-language": "de" }],
    ["/feed", { "x-api-key": "a" }],
  ];
  for (const [path, headers] of distinct) await follow(gateway, path, headers);
  for (const [path, headers] of distinct) await follow(gateway, path, { ...headers, "user-agent": "another" });
  expect(origin.requests).toHaveLength(distinct.length);
});

test("the target gets no header of a client in which requests may differ unnoticed", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url, {
    share: { vary: ["X-Tenant"] },
    headers: { request: { set: { "x-from": "gateway" } } },
  });
  await follow(gateway, "/feed", { "x-tenant": "a", "x-other": "b", "authorization": "Bearer c", "cookie": "d=e" });
  await follow(gateway, "/feed", { "x-tenant": "a", "x-other": "c", "authorization": "Bearer d" });
  expect(origin.requests).toHaveLength(1);
  const { headers } = origin.requests[0]!;
  expect(headers).toMatchObject({ "x-tenant": "a", "x-from": "gateway", "accept": "text/event-stream" });
  for (const name of ["x-other", "authorization", "cookie", "x-forwarded-for", "user-agent"])
    expect(headers).not.toHaveProperty(name);
});

const key = (name: string): string => `sp_${name.repeat(43)}`;

test("different credentials share if the target does not see them, each with its own right", async () => {
  const origin = await startStreamOrigin();
  const hash = async (name: string): Promise<string> => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key(name)));
    return `sha256:${Buffer.from(digest).toString("hex")}`;
  };
  const keys = [
    { name: "a", hash: await hash("a"), can: ["proxy" as const], channels: ["some"], events: ["some"] },
    { name: "b", hash: await hash("b"), can: ["proxy" as const] },
    { name: "c", hash: await hash("c"), can: ["subscribe" as const] },
  ];
  let access: GatewayConfig["access"] = { keys };
  const config = (): GatewayConfig & { store: "memory:" } => ({
    store: "memory:",
    routes: { "/**": { upstream: { url: origin.url }, share: true } },
    access,
  });
  const gateway = await createGateway(config(), { readConfig: config });
  onTestFinished(() => gateway.close());
  const as = (name: string): Headers => ({ authorization: `Bearer ${key(name)}` });
  const [a, b] = [await follow(gateway, "/feed", as("a")), await follow(gateway, "/feed", as("b"))];
  expect((await request(gateway, "/feed", as("c"))).status).toBe(403);
  expect((await request(gateway, "/feed")).status).toBe(401);
  expect(origin.requests).toHaveLength(1);
  expect(origin.requests[0]!.headers).not.toHaveProperty("authorization");
  // A key that is removed ends its clients, and only these.
  access = { keys: keys.slice(1) };
  await gateway.reload();
  await a.until(({ ended }) => ended);
  expect(a.controls("spillway.bye")).toMatchObject([{ reason: "revoked" }]);
  origin.send("still here");
  await b.until(() => b.data().includes("still here"));
});

test("a stream of a route is not reachable as a stream of the gateway", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url);
  await follow(gateway);
  expect(gateway.status().streams).toEqual({});
  const names = ["_shared", "/**", "%2F**"].map((name) => request(gateway, `/streams/${name}`));
  // None of them is a path of the gateway that leads to events: the route forwards some.
  for (const { status } of await Promise.all(names)) expect(status).toBe(404);
});

test("what is no request for an event stream, or no such answer, is forwarded as without share", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url);
  const get = (path: string, init: RequestInit): Promise<Response> =>
    gateway.fetch(new Request(`http://localhost${path}`, init));
  const posted = await get("/feed", { method: "POST", body: "x", headers: { accept: "text/event-stream" } });
  expect(await posted.text()).toBe("POST");
  const missing = await request(gateway, "/missing");
  expect([missing.status, await missing.text()]).toEqual([404, "none"]);
  const plain = await get("/feed", { headers: { accept: "*/*" } });
  expect(plain.headers.get("spillway-resume")).toBeNull();
  await plain.body!.cancel();
  expect(shared(gateway)).toEqual({ streams: 0, connected: 0, subscribers: 0 });
});

test("without a target the client gets the error that it gets without share", async () => {
  const gateway = await start("http://127.0.0.1:9");
  const response = await request(gateway, "/feed");
  expect([response.status, await response.json()]).toMatchObject([502, { code: "target-failed" }]);
  expect(shared(gateway)).toMatchObject({ streams: 0 });
});

test("a target that does not answer in time is a 504 after one timeout", async () => {
  const hanging = createServer(() => {}).listen(0, "127.0.0.1");
  await once(hanging, "listening");
  onTestFinished(() => {
    hanging.closeAllConnections();
    hanging.close();
  });
  let requests = 0;
  hanging.on("request", () => requests++);
  const upstream = { url: `http://127.0.0.1:${portOf(hanging)}`, timeouts: { headers: "2s" } };
  const response = await request(await start("", { upstream }), "/feed");
  expect([response.status, await response.json()]).toMatchObject([504, { code: "target-timeout" }]);
  expect(requests).toBe(1);
});

test("a stranger opens at most half of the streams, and displaces nobody who has fewer", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url, { share: { streams: 4, linger: "20s" } }, { trustProxy: ["127.0.0.0/8"] });
  const { port } = await gateway.listen();
  const from = (address: string, n: number): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/feed?${address}=${n}`, {
      headers: { "accept": "text/event-stream", "x-forwarded-for": address },
    });
  const friend = read(await from("192.0.2.1", 1));
  await friend.cancel();
  // The stranger's streams without a client make room for others of its own, with which it can go on for ever.
  for (let n = 0; n < 10; n++) await read(await from("192.0.2.9", n)).cancel();
  const held = [await from("192.0.2.9", 100), await from("192.0.2.9", 101)];
  const refused = await from("192.0.2.9", 102);
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: "too-many-streams" }]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(20);
  expect(origin.open.size).toBeLessThanOrEqual(4);
  // The friend's stream was never closed.
  await read(await from("192.0.2.1", 1)).cancel();
  expect(origin.requests.filter(({ url }) => url!.includes("192.0.2.1="))).toHaveLength(1);
  for (const response of held) await response.body!.cancel();
});

test("the request to the target ends after the last client, and with it the log", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url, { share: { linger: "1s" } });
  const first = await follow(gateway);
  await first.until(() => first.data().length === 1);
  await first.cancel();
  await eventually(() => origin.open.size === 0);
  await eventually(() => JSON.stringify(shared(gateway)) === '{"streams":0,"connected":0,"subscribers":0}');
  const back = await follow(gateway, "/feed", { "last-event-id": lastId(first) });
  await back.until(() => back.data().length === 1);
  expect(back.controls("spillway.reset")).toHaveLength(1);
  expect(origin.requests).toHaveLength(2);
});

test("events are transformed once, whatever the number of clients", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-share-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const transform = join(folder, "map.js");
  await writeFile(
    transform,
    `let calls = 0;
    export default async (event, context) => {
      if (event.data === "drop") return;
      if (event.data === "twice") return [event, { data: "again" }];
      if (event.data === "throw") throw new Error("no");
      return { data: { text: event.data, call: ++calls, ...context } };
    };`,
  );
  const origin = await startStreamOrigin();
  const gateway = await start(origin.url, { transform });
  const readings = await Promise.all([follow(gateway), follow(gateway), follow(gateway)]);
  for (const data of ["drop", "twice", "throw", "end"]) origin.send(data);
  for (const reading of readings) {
    await reading.until(() => reading.data().length === 5);
    const [hello, ...rest] = reading.data();
    expect(JSON.parse(hello!)).toEqual({ text: "hello", call: 1, route: "/**", path: "/feed", subject: "anonymous" });
    expect(rest.slice(0, 3)).toEqual(["twice", "again", "throw"]);
    expect(JSON.parse(rest[3]!)).toMatchObject({ text: "end", call: 2 });
  }
});

test("a reload that changes the route disconnects its clients, who then resume", async () => {
  const origin = await startStreamOrigin();
  let heartbeat = "15s";
  const config = () => ({
    store: "memory:",
    routes: { "/**": { upstream: { url: origin.url }, share: true as const, heartbeat } },
  });
  const gateway = await createGateway(config(), { readConfig: config });
  onTestFinished(() => gateway.close());
  const first = await follow(gateway);
  await first.until(() => first.data().length === 1);
  await gateway.reload();
  heartbeat = "14s";
  expect(first.ended).toBe(false);
  await gateway.reload();
  await first.until(({ ended }) => ended);
  expect(first.controls("spillway.bye")).toMatchObject([{ reason: "removed" }]);
  const back = await follow(gateway, "/feed", { "last-event-id": lastId(first) });
  expect(back.response.headers.get("spillway-resume")).toBe("resumed");
  await eventually(() => origin.requests[1]?.headers["last-event-id"] === "1");
});

test("a reload while a log is being opened ends the wait of its client, and delays no other request", async () => {
  const origin = await startStreamOrigin();
  const memory = createMemoryStore();
  let open = (): void => {};
  const held = new Promise<void>((resolve) => (open = resolve));
  const store: LogStore = {
    ...memory,
    async open(name, options) {
      if (name.startsWith("_shared.")) await held;
      return memory.open(name, options);
    },
  };
  let heartbeat = "15s";
  const config = () => ({
    store,
    routes: { "/**": { upstream: { url: origin.url }, share: true as const, heartbeat } },
  });
  const gateway = await createGateway(config(), { readConfig: config });
  onTestFinished(() => gateway.close());
  const before = request(gateway, "/feed");
  await eventually(() => (shared(gateway) as { streams: number }).streams === 1, "the request has begun");
  heartbeat = "14s";
  await gateway.reload();
  open();
  const after = await follow(gateway);
  await after.until(() => after.data().length === 1);
  expect((await before).status).toBe(200);
  await (await before).body?.cancel();
});

test(`a client gets exactly 1..M through ${rounds} times kill -9, with SQLite`, async () => {
  const source = await startNumberedUpstream({ rate: 200, dropEvery: 97, dropMode: "half", retry: 10 });
  onTestFinished(() => source.close());
  const routes = { "/events": { upstream: { url: source.origin }, access: "none" as const, share: true as const } };
  const gateway = await startReloadable(1, { routes });
  onTestFinished(() => gateway.close());
  const numbers: number[] = [];
  let id: string | undefined;
  for (let round = 0; round <= rounds; round++) {
    const reading = await gateway.subscribe("/events", id === undefined ? {} : { "last-event-id": id });
    await reading.until(() => reading.data().length > 100);
    if (round < rounds) {
      await gateway.program.kill("SIGKILL");
      await reading.until(({ ended }) => ended);
    } else await reading.cancel();
    expect(reading.controls("spillway.reset")).toEqual([]);
    expect(reading.controls("spillway.gap")).toEqual([]);
    numbers.push(...reading.data().map((data) => (JSON.parse(data) as { n: number }).n));
    id = lastId(reading);
    if (round < rounds) await gateway.restart();
  }
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test("each of two workers shares for its own clients", async () => {
  const origin = await startStreamOrigin();
  const routes = { "/**": { upstream: { url: origin.url }, access: "none" as const, share: true as const } };
  const gateway = await startReloadable(2, { routes });
  onTestFinished(() => gateway.close());
  const readings = await Promise.all(Array.from({ length: 12 }, () => gateway.subscribe("/feed")));
  expect(origin.requests.length).toBeLessThanOrEqual(2);
  origin.send("a");
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().includes("a"))));
  type Status = { routes: Record<string, { shared: object }> };
  const status = async (): Promise<Status> => (await (await gateway.request("/status")).json()) as Status;
  expect((await status()).routes["/**"]!.shared).toMatchObject({ streams: origin.open.size, subscribers: 12 });
});

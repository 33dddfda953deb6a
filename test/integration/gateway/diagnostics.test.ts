import { once } from "node:events";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { engines } from "../../support/shared-engines.ts";
import { bearer, makeKey } from "../../support/credentials.ts";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";
import { startWorkers } from "../../support/workers.ts";

/** What operators can ask beside `/status`: attempts, history, checks, configuration, nodes, and single subscriptions. */

const admin = makeKey("admin", { can: ["admin"] });
const partial = makeKey("partial", { can: ["admin"], streams: ["s"] });
const web = makeKey("web", { can: ["subscribe"] });
const access = { keys: [admin.config, partial.config, web.config] };

type Json = Record<string, unknown>;

/** Asks as an administrator. */
async function get<T = Json>(origin: string, path: string, key = admin.key): Promise<T> {
  const response = await fetch(`${origin}${path}`, { headers: { ...bearer(key), accept: "application/json" } });
  expect(response.status, `${path}: ${await response.clone().text()}`).toBe(200);
  return (await response.json()) as T;
}

async function open(config: GatewayConfig): Promise<{ readonly gateway: Gateway; readonly origin: string }> {
  const gateway = await createGateway({ listen: "127.0.0.1:0", access, ...config }, { logger: false });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  return { gateway, origin: `http://127.0.0.1:${port}` };
}

/** A source that refuses the first requests, then serves one event, and ends the stream. */
async function startSource(refusals: number): Promise<string> {
  let requests = 0;
  const server = createServer((_, response) => {
    if (++requests <= refusals) return void response.writeHead(503, { "x-secret": "token" }).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("id: 1\ndata: a\n\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${portOf(server)}/feed?api-key=hidden-secret`;
}

interface Attempt {
  readonly outcome: string;
  readonly error: string | null;
  readonly status: number | null;
  readonly openFor: number | null;
  readonly target: string;
  readonly reason: string | null;
}

interface Upstreams {
  readonly upstreams: Readonly<Record<string, { readonly state: string; readonly attempts: readonly Attempt[] }>>;
}

const backoff = { min: "10ms", max: "20ms" };

test("the attempts of an upstream are listed with their results, the newest first, at most 20", async () => {
  const url = await startSource(2);
  const { origin } = await open({
    store: "memory:",
    streams: {
      s: { upstream: { url, backoff } },
      gone: { upstream: { url: "http://127.0.0.1:1/?token=hidden-secret", backoff } },
      plain: {},
    },
  });
  const attempts = async (): Promise<Upstreams["upstreams"]> =>
    (await get<Upstreams>(origin, "/admin/upstreams")).upstreams;
  await eventually(
    async () => (await attempts())["s"]!.attempts.length >= 3 && (await attempts())["gone"]!.attempts.length === 20,
  );
  const found = await attempts();
  expect(Object.keys(found)).toEqual(["s", "gone"]);
  const oldest = found["s"]!.attempts.findLast(({ outcome }) => outcome === "failed");
  expect(oldest).toMatchObject({ target: "target-1", error: "upstream-status", status: 503, openFor: null });
  expect(found["s"]!.attempts.find(({ outcome }) => outcome === "ended")).toMatchObject({
    error: null,
    status: null,
    openFor: expect.any(Number) as number,
  });
  expect(found["gone"]!.attempts[0]).toMatchObject({ error: "upstream-connect", reason: "ECONNREFUSED" });
  const times = found["gone"]!.attempts.map((attempt) => (attempt as unknown as { startedAt: string }).startedAt);
  expect(times).toEqual(times.toSorted().toReversed());
  expect(JSON.stringify(found)).not.toMatch(/hidden-secret|127\.0\.0\.1|feed/);
});

interface History {
  readonly interval: number;
  readonly times: readonly number[];
  readonly streams: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

test("history is sampled from the first request on, and only what is new is sent", async () => {
  const { gateway, origin } = await open({ store: "memory:", streams: { s: {} } });
  await gateway.publish("s", [{ data: "1" }, { data: "2" }]);
  const first = await get<History>(origin, "/admin/history");
  expect(first).toMatchObject({
    interval: 5000,
    streams: { s: { stored: [2], delivered: [0], subscribers: [0], lag: [0] } },
  });
  const reading = read(await fetch(`${origin}/streams/s?after=earliest`, { headers: bearer(web.key) }));
  await reading.until(({ events }) => events.length === 3);
  const after = first.times[0]!;
  let fresh: History | undefined;
  await eventually(async () => {
    fresh = await get<History>(origin, `/admin/history?after=${after}`);
    return fresh.times.length > 0;
  });
  expect(fresh!.times[0]).toBeGreaterThan(after);
  expect(fresh!.streams["s"]).toMatchObject({ stored: [2], delivered: [2], subscribers: [1], lag: [0] });
  const refused = await fetch(`${origin}/admin/history?after=x`, { headers: bearer(admin.key) });
  expect(await refused.json()).toMatchObject({ code: "request-invalid", field: "after" });
  await reading.cancel();
});

test("the configuration is shown with defaults, and without any secret", async () => {
  const url = await startSource(0);
  const { origin } = await open({
    store: "memory:",
    streams: { s: { upstream: { url, headers: { authorization: "Bearer hidden-secret" } } } },
  });
  const response = await fetch(`${origin}/admin/config`, { headers: bearer(admin.key) });
  expect(response.headers.get("content-type")).toBe("application/yaml");
  const text = await response.text();
  expect(text).toMatch(/^listen: /m);
  expect(text).toContain("retention:");
  expect(text).not.toContain("hidden-secret");
  for (const { hash } of access.keys) expect(text).not.toContain(hash);
});

test("the checks of a running gateway are those of its machine and its store", async () => {
  const { origin } = await open({ store: "memory:", streams: { s: {} } });
  const { checks } = await get<{ checks: Array<{ name: string; outcome: string; found: string }> }>(
    origin,
    "/admin/doctor",
  );
  expect(checks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["store", "clock", "listener", "node", "memory"]),
  );
  expect(checks.find(({ name }) => name === "store")).toMatchObject({ outcome: "warn" });
});

test("everything needs the right admin for all streams", async () => {
  const { origin } = await open({ store: "memory:", streams: { s: {}, t: {} } });
  const paths = ["upstreams", "history", "nodes", "doctor", "config"].map((name) => ["GET", `/admin/${name}`] as const);
  for (const [method, path] of [...paths, ["DELETE", "/admin/subscribers/x"] as const]) {
    const statusOf = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(origin + path, { method, headers })).status;
    expect([path, await statusOf({}), await statusOf(bearer(web.key)), await statusOf(bearer(partial.key))]).toEqual([
      path,
      401,
      403,
      403,
    ]);
  }
});

test("one subscription can be ended, and the others of its subject stay", async () => {
  const { gateway, origin } = await open({ store: "memory:", streams: { s: {} } });
  const follow = async () => {
    const reading = read(await fetch(`${origin}/streams/s`, { headers: bearer(web.key) }));
    await reading.until(({ events }) => events.length === 1);
    return { reading, client: reading.controls("connected")[0]!["client"] as string };
  };
  const [one, other] = [await follow(), await follow()];
  const end = (client: string): Promise<Response> =>
    fetch(`${origin}/admin/subscribers/${client}`, { method: "DELETE", headers: bearer(admin.key) });
  expect(await (await end(one.client)).json()).toEqual({ ended: 1 });
  await one.reading.until(({ ended }) => ended);
  expect(one.reading.controls("spillway.bye")).toMatchObject([{ reason: "revoked" }]);
  await eventually(() => gateway.subscribers("s").total === 1);
  const again = await end(one.client);
  expect([again.status, ((await again.json()) as Json)["code"]]).toEqual([404, "client-unknown"]);
  expect((await end("nonsense")).status).toBe(404);
  await other.reading.cancel();
});

test("with workers, each of them answers for all", async () => {
  const url = await startSource(1);
  const server = await startWorkers(2, { streams: { s: { upstream: { url, backoff } } }, access });
  onTestFinished(() => server.close());
  const fresh = { connection: "close" };
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${server.url}${path}`, { headers: { ...fresh, ...bearer(admin.key) } });
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as T;
  };
  const readings = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const reading = read(await fetch(`${server.url}/streams/s`, { headers: { ...fresh, ...bearer(web.key) } }));
      await reading.until(({ events }) => events.length >= 1);
      return reading.controls("connected")[0]!["client"] as string;
    }),
  );
  await eventually(async () => {
    const { upstreams } = await ask<Upstreams>("/admin/upstreams");
    return upstreams["s"]!.attempts.some(({ status }) => status === 503);
  });
  const begun = await ask<History>("/admin/history");
  expect(begun.times).toHaveLength(1);
  // Whichever worker answers, the samples are the primary's.
  for (let i = 0; i < 4; i++) expect((await ask<History>("/admin/history")).times[0]).toBe(begun.times[0]);
  const { checks } = await ask<{ checks: ReadonlyArray<{ found: string }> }>("/admin/doctor");
  expect(checks.some(({ found }) => found.includes("is open"))).toBe(true);
  const config = await fetch(`${server.url}/admin/config`, { headers: bearer(admin.key) });
  expect(await config.text()).toMatch(/url: .*127\.0\.0\.1/);
  const { nodes } = await ask<{ nodes: readonly Json[] }>("/admin/nodes");
  expect(nodes).toHaveLength(1);
  for (const client of readings) {
    const path = `${server.url}/admin/subscribers/${client}`;
    expect((await fetch(path, { method: "DELETE", headers: { ...fresh, ...bearer(admin.key) } })).status).toBe(200);
  }
});

test.each(engines)("on $name, each node lists all of them, and who ingests", async (engine) => {
  const place = engine.openPlace();
  onTestFinished(() => place.remove());
  const url = await startSource(0);
  const streams = { s: { upstream: { url, backoff } } };
  const a = await open({ store: place.url, cluster: { node: "a" }, streams });
  const b = await open({ store: place.url, cluster: { node: "b" }, streams });
  interface Nodes {
    readonly complete: boolean;
    readonly nodes: ReadonlyArray<{ node: string; leads: readonly string[]; subscribers: number }>;
  }
  const of = (origin: string): Promise<Nodes> => get<Nodes>(origin, "/admin/nodes");
  await eventually(async () => (await of(a.origin)).nodes.length === 2 && (await of(b.origin)).nodes.length === 2);
  await eventually(async () => (await of(b.origin)).nodes.some(({ leads }) => leads.length === 1));
  const { nodes, complete } = await of(b.origin);
  expect(complete).toBe(true);
  expect(nodes.map(({ node }) => node)).toEqual(["b", "a"]);
  expect(nodes.flatMap(({ leads }) => leads)).toEqual(["s"]);
});

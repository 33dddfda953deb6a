import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Gateway } from "spillway";
import { expect, onTestFinished, test } from "vitest";
import { resolveConfig } from "../../../src/config/resolve.ts";
import type { RouteStatus } from "../../../src/http/gateway-status.ts";
import type { Routes } from "../../../src/proxy/options.ts";
import { createProxy } from "../../../src/proxy/proxy.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { openRoutes, routeTo, type RouteChanges } from "../../support/routes.ts";

interface Origin {
  readonly url: string;
  readonly port: number;
  /** The paths of all requests. */
  readonly paths: string[];
  /** Closes the port and cuts all connections. */
  kill(): void;
}

async function startOrigin(answer: RequestListener, port = 0): Promise<Origin> {
  const paths: string[] = [];
  const server: Server = createServer((request, response) => {
    paths.push(request.url!);
    answer(request, response);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const kill = (): void => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(kill);
  return { url: `http://127.0.0.1:${portOf(server)}`, port: portOf(server), paths, kill };
}

const answerWith =
  (text: string, status = 200, delay = 0): RequestListener =>
  (request, response) => {
    request.resume();
    setTimeout(() => response.writeHead(status).end(text), delay);
  };

interface Served {
  readonly gateway: Gateway;
  request(path?: string, init?: RequestInit): Promise<{ status: number; text: string; headers: Headers }>;
  route(): RouteStatus;
}

async function serve(
  origins: readonly { readonly url: string }[],
  changes: RouteChanges["upstream"],
  drain = 0,
): Promise<Served> {
  const options = routeTo(
    origins.map(({ url }) => url),
    changes && { upstream: changes },
  );
  const access = { anonymous: { can: ["admin"] as const } };
  const gateway = await openRoutes({ "/api/**": options }, { access, drain });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  return {
    gateway,
    async request(path = "/api/x", init = {}) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    route: () => gateway.status().routes["/api/**"]!,
  };
}

const retry = { attempts: 2, on: ["refused", "unsent"], budget: "20%" } as const;
const eject = { errors: 5, for: "30s", most: "50%" };

test("no idempotent request fails while a target is killed under load, and the target is ejected within a second", async () => {
  const origins = await Promise.all(["a", "b", "c"].map((name) => startOrigin(answerWith(name, 200, 5))));
  const { request, route } = await serve(origins, { retry, eject });
  const statuses: number[] = [];
  let running = true;
  const load = Array.from({ length: 20 }, async () => {
    while (running) statuses.push((await request()).status);
  });
  await eventually(() => statuses.length > 200);
  origins[1]!.kill();
  const killedAt = performance.now();
  await eventually(() => route().targets["target-2"]!.state === "ejected");
  expect(performance.now() - killedAt).toBeLessThan(1000);
  const before = statuses.length;
  await eventually(() => statuses.length > before + 200);
  running = false;
  await Promise.all(load);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  const { requests, active, failed, targets } = route();
  expect([requests, active, failed]).toEqual([statuses.length, 0, 0]);
  expect(targets["target-2"]!.ejections).toBe(1);
  expect(targets["target-2"]!.failures).toBe(targets["target-1"]!.retries + targets["target-3"]!.retries);
});

test("least-requests sends a slow target less", async () => {
  const held: ServerResponse[] = [];
  const fast = await startOrigin(answerWith("fast"));
  const slow = await startOrigin((_, response) => void held.push(response));
  const { request } = await serve([fast, slow], { balance: "least-requests" });
  const clients = Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let i = 0; i < 20; i++) await request();
    }),
  );
  // It has half of the open requests at most, and gets no more while it answers none.
  await eventually(() => fast.paths.length >= 80);
  expect(slow.paths.length).toBeLessThanOrEqual(6);
  const answering = setInterval(() => held.splice(0).forEach((response) => response.end()), 5);
  onTestFinished(() => clearInterval(answering));
  await clients;
});

test("a hash sends equal requests to the same target, and the others stay when one is killed", async () => {
  const origins = await Promise.all(["a", "b", "c"].map((name) => startOrigin(answerWith(name))));
  const { request } = await serve(origins, {
    balance: { hash: "header:x-user" },
    retry,
    eject: { ...eject, errors: 1 },
  });
  const users = Array.from({ length: 30 }, (_, i) => `user-${i}`);
  const place = (): Promise<string[]> =>
    Promise.all(users.map(async (user) => (await request("/api/x", { headers: { "x-user": user } })).text));
  const first = await place();
  expect(new Set(first).size).toBe(3);
  expect(await place()).toEqual(first);
  origins[0]!.kill();
  const second = await place();
  for (const [i, name] of first.entries()) {
    if (name === "a") expect(second[i]).not.toBe("a");
    else expect(second[i]).toBe(name);
  }
});

test("health checks take a target out and back", async () => {
  let isHealthy = true;
  const first = await startOrigin((request, response) => {
    response.writeHead(request.url === "/healthz" && !isHealthy ? 503 : 200).end("first");
  });
  const second = await startOrigin(answerWith("second"));
  const health = { path: "/healthz", every: 30, timeout: 1000, up: 2, down: 2 };
  const { request, route } = await serve([first, second], { balance: "failover", health });
  const stateOf = (): string => route().targets["target-1"]!.state;
  expect((await request()).text).toBe("first");
  isHealthy = false;
  await eventually(() => stateOf() === "down");
  expect((await request()).text).toBe("second");
  isHealthy = true;
  await eventually(() => stateOf() === "up");
  expect((await request()).text).toBe("first");
});

test("without a usable target the answer is 503 with Retry-After", async () => {
  const origin = await startOrigin(answerWith("no", 500));
  const health = { path: "/healthz", every: 30, timeout: 1000, up: 2, down: 2 };
  const { request, route } = await serve([origin], { health });
  await eventually(() => route().targets["target-1"]!.state === "down");
  const { status, headers, text } = await request();
  expect(status).toBe(503);
  expect(headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  expect(JSON.parse(text)).toMatchObject({ code: "target-unavailable" });
  expect(route().failures["target-unavailable"]).toBe(1);
});

test("a target that answers 500 is not ejected, one that answers 503 is", async () => {
  const [application, broken, good] = await Promise.all([
    startOrigin(answerWith("", 500)),
    startOrigin(answerWith("", 503)),
    startOrigin(answerWith("")),
  ]);
  const { request, route } = await serve([application, broken, good], { eject: { ...eject, errors: 2 } });
  for (let i = 0; i < 12; i++) await request();
  const { targets, failed } = route();
  expect(Object.values(targets).map(({ state }) => state)).toEqual(["up", "ejected", "up"]);
  expect(Object.values(targets).map(({ failures }) => failures)).toEqual([0, 2, 0]);
  expect(failed).toBe(0);
});

test("a retried 503 is replaced by another target's answer; the last one is passed on", async () => {
  const [broken, good] = [await startOrigin(answerWith("bad", 503)), await startOrigin(answerWith("good"))];
  const on = [503] as const;
  const { request, route } = await serve([broken, good], { balance: "failover", retry: { ...retry, on } });
  expect(await request()).toMatchObject({ status: 200, text: "good" });
  expect(await request("/api/x", { method: "POST", body: "x" })).toMatchObject({ status: 503, text: "bad" });
  good.kill();
  const { targets } = route();
  expect([targets["target-1"]!.failures, targets["target-2"]!.retries]).toEqual([2, 1]);
  const other = await startOrigin(answerWith("worse", 503));
  const both = await serve([broken, other], { balance: "failover", retry: { ...retry, on } });
  expect(await both.request()).toMatchObject({ status: 503, text: "worse" });
});

test("a POST is retried if it was not sent, and never once it was", async () => {
  const closed = await startOrigin(answerWith(""));
  closed.kill();
  const cutting = await startOrigin((request) => request.socket.destroy());
  const good = await startOrigin(answerWith("good"));
  const post = { method: "POST", body: "text" };
  const refused = await serve([closed, good], { balance: "failover", retry });
  expect(await refused.request("/api/x", post)).toMatchObject({ status: 200, text: "good" });
  const cut = await serve([cutting, good], { balance: "failover", retry: { ...retry, on: [...retry.on, 502, 504] } });
  expect((await cut.request("/api/x", post)).status).toBe(502);
  expect((await cut.request("/api/x", { method: "POST" })).status).toBe(502);
  expect((await cut.request("/api/x", { method: "PATCH", body: "text" })).status).toBe(502);
  expect(await cut.request()).toMatchObject({ status: 200, text: "good" });
  expect(good.paths).toHaveLength(2);
});

test("an idempotent request on a connection that the only target closes is sent once more, on a new one", async () => {
  let requests = 0;
  const origin = await startOrigin((request, response) => {
    requests++;
    if (requests === 2) request.socket.destroy();
    else response.end("done");
  });
  const { request, route } = await serve([origin], { retry });
  expect((await request()).status).toBe(200);
  expect((await request()).status).toBe(200);
  expect([requests, route().targets["target-1"]!.retries]).toEqual([3, 1]);
  requests = 1;
  expect((await request("/api/x", { method: "POST" })).status).toBe(502);
  const always = await startOrigin((received) => received.socket.destroy());
  const { request: failing } = await serve([always], { retry });
  expect((await failing()).status).toBe(502);
  expect(always.paths).toHaveLength(2);
});

test.each(["text/plain", "text/event-stream"])(
  "a client that leaves a %s is no failure of the target",
  async (type) => {
    const origin = await startOrigin((_request, response) => {
      response.writeHead(200, { "content-type": type }).write(":\n\n");
    });
    const { request, route } = await serve([origin, origin], { eject: { ...eject, errors: 1 } });
    for (let i = 0; i < 2; i++) {
      const leaving = new AbortController();
      const answer = request("/api/x", { signal: leaving.signal });
      await eventually(() => route().active === 1);
      leaving.abort();
      await expect(answer).rejects.toThrow();
      await eventually(() => route().active === 0);
    }
    const { failed, targets } = route();
    expect(failed).toBe(0);
    expect(Object.values(targets).map(({ state, failures }) => [state, failures])).toEqual([
      ["up", 0],
      ["up", 0],
    ]);
  },
);

test("a response that the target breaks off counts as a failure once", async () => {
  const origin = await startOrigin((request, response) => {
    response.write("begun");
    setTimeout(() => request.socket.destroy(), 20);
  });
  const { request, route } = await serve([origin], { retry });
  await expect(request()).rejects.toThrow();
  await eventually(() => route().active === 0);
  const { responses, failures, targets } = route();
  expect([responses["2xx"], failures["target-failed"], targets["target-1"]!.failures]).toEqual([1, 1, 1]);
});

test("requests beyond a target's connections wait, and those beyond its queue get 503", async () => {
  let isHeld = true;
  const held: ServerResponse[] = [];
  const origin = await startOrigin((_, response) => void (isHeld ? held.push(response) : response.end("done")));
  const { request, route } = await serve([origin], { connections: 2, queue: { length: 3, for: 60_000 } });
  const answers = Array.from({ length: 8 }, () => request());
  await eventually(() => route().responses["5xx"] === 3);
  expect(route().targets["target-1"]).toMatchObject({ active: 2, waiting: 3 });
  await eventually(() => held.length === 2);
  isHeld = false;
  for (const response of held) response.end("done");
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 200, 503, 503, 503]);
});

test("a request that waits for a target while the gateway stops gets 503 and when to come back", async () => {
  const held: ServerResponse[] = [];
  const origin = await startOrigin((_, response) => void held.push(response));
  const upstream = { connections: 1, queue: { length: 3, for: 5000 }, retry };
  const { gateway, route } = await serve([origin], upstream, 60_000);
  const request = async (path: string): Promise<Response> => gateway.fetch(new Request(`http://localhost${path}`));
  const first = request("/api/first");
  await eventually(() => held.length === 1);
  const waiting = request("/api/waiting");
  await eventually(() => route().targets["target-1"]!.waiting === 1);
  const closed = gateway.close();
  held[0]!.end("done");
  const responses = [await first, await waiting, await request("/api/late")];
  await closed;
  expect(responses.map(({ status }) => status)).toEqual([200, 503, 503]);
  for (const response of responses.slice(1)) {
    expect(await response.json()).toMatchObject({ code: "shutting-down" });
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  }
});

test("a change of a route keeps targets whose settings stay, with their health, and its counts", async () => {
  const [first, second] = [await startOrigin(answerWith("a")), await startOrigin(answerWith("b"))];
  const routes = (urls: readonly string[], changes: RouteChanges): Routes =>
    resolveConfig({ store: "memory:", routes: { "/api/**": routeTo(urls, changes) } }).routes;
  const proxy = createProxy(routes([first.url], { upstream: { eject } }), silentLogger);
  onTestFinished(() => proxy.close(0));
  const [target] = proxy.find("/api/x")!.targets;
  target!.health.isUp = false;
  proxy.apply(routes([first.url, second.url], { upstream: { eject }, heartbeat: 5000 }));
  const changed = proxy.find("/api/x")!;
  expect(changed.targets[0]).toBe(target);
  expect(Object.values(changed.stats().targets).map(({ state }) => state)).toEqual(["down", "up"]);
  proxy.apply(routes([first.url], { upstream: { connections: 5 } }));
  expect(proxy.find("/api/x")!.targets[0]).not.toBe(target);
  proxy.apply({});
  expect(proxy.find("/api/x")).toBeUndefined();
});

test("the counts of a route are in the metrics", async () => {
  const origin = await startOrigin(answerWith("done"));
  const { request } = await serve([origin], {});
  await request();
  const { text } = await request("/metrics");
  expect(text).toContain('spillway_route_requests_total{route="/api/**",status="2xx"} 1\n');
  expect(text).toContain('spillway_route_target_up{route="/api/**",target="target-1"} 1\n');
});

import { Hono } from "hono";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { spillway } from "spillway/hono";

/** What only Hono has; test/frameworks/adapters holds what all frameworks have in common. */

let gateway: Gateway;

beforeEach(async () => {
  gateway = await createGateway({
    store: "memory:",
    streams: { orders: {} },
    access: { anonymous: ["subscribe", "publish"], tickets: { anonymous: true } },
    limits: { perAddress: 1 },
  });
});
afterEach(() => gateway.close());

const ticketFor = { method: "POST", headers: { "content-type": "application/json" }, body: '{"stream":"orders"}' };

test("the path of the route is the mount, also with parameters and as middleware", async () => {
  const app = new Hono();
  app.all("/t/:tenant/live/*", spillway(gateway));
  app.use("/*", spillway(gateway));
  app.get("/own", (context) => context.text("own"));
  for (const mount of ["/t/a%20b/live", ""]) {
    const response = await app.request(`http://app.example${mount}/tickets`, ticketFor);
    const { url } = (await response.json()) as { url: string };
    expect(url).toMatch(new RegExp(`^http://app\\.example${mount}/streams/orders\\?ticket=`));
  }
  expect(await (await app.request("/own")).text()).toBe("own");
  expect((await app.request("/t/a/live/nowhere")).status).toBe(404);
});

test("a mount can be named where the route has no wildcard", async () => {
  const app = new Hono();
  app.get("/live/streams/orders", spillway(gateway, { mount: "/live" }));
  const response = await app.request("/live/streams/orders", { headers: { accept: "application/json" } });
  expect(await response.json()).toMatchObject({ events: [] });
});

test("the option address names clients for the limits per address", async () => {
  const app = new Hono();
  app.all("/live/*", spillway(gateway, { address: ({ req }) => req.header("x-real-ip") }));
  const subscribe = async (ip: string): Promise<Response> =>
    app.request("/live/streams/orders", { headers: { "x-real-ip": ip } });
  const responses = [await subscribe("203.0.113.7"), await subscribe("203.0.113.7"), await subscribe("203.0.113.8")];
  expect(responses.map(({ status }) => status)).toEqual([200, 429, 200]);
  for (const { body } of responses) await body?.cancel();
});

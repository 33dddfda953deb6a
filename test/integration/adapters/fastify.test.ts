import { fastify, type FastifyInstance, type FastifyRequest } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { spillway } from "spillway/fastify";
import { once } from "node:events";
import { WebSocket } from "ws";
import { startEcho } from "../../support/echo-websocket.ts";
import { eventually, read } from "../../support/reader.ts";

/** What only Fastify has; test/frameworks/adapters holds what all frameworks have in common. */

let gateway: Gateway;
let app: FastifyInstance;

beforeEach(async () => {
  gateway = await createGateway({
    store: "memory:",
    streams: { orders: {} },
    access: { anonymous: ["subscribe", "publish"], tickets: { anonymous: true } },
  });
});
afterEach(async () => {
  await app.close();
  await gateway.close();
});

const json = { "content-type": "application/json" };

test("app.spillway is the gateway, also for routes outside of the plugin", async () => {
  app = fastify();
  await app.register(spillway, { gateway, prefix: "/live" });
  await app.register(async (other) => {
    const publish = async ({ body }: FastifyRequest): Promise<{ ids: string[] }> => ({
      ids: await other.spillway.publish("orders", { data: body }),
    });
    other.post("/orders", publish);
  });
  const response = await app.inject({ method: "POST", url: "/orders", headers: json, payload: '{"item":"tea"}' });
  const { ids } = response.json<{ ids: string[] }>();
  const poll = await app.inject({
    url: "/live/streams/orders?after=earliest",
    headers: { accept: "application/json" },
  });
  expect(poll.json()).toMatchObject({ events: [{ id: ids[0], data: '{"item":"tea"}' }] });
});

test("inject reaches the gateway as a client does, with its status, headers and body", async () => {
  app = fastify();
  await app.register(spillway, { gateway, prefix: "/live" });
  const published = await app.inject({
    method: "POST",
    url: "/live/streams/orders/events",
    headers: json,
    payload: '{"data":"1"}',
  });
  expect([published.statusCode, published.json()]).toEqual([200, { ids: [expect.any(String)] }]);
  const unknown = await app.inject("/live/streams/nothing");
  expect([unknown.statusCode, unknown.headers["content-type"]]).toEqual([404, "application/problem+json"]);
});

test("a prefix may have parameters, and tickets lead below it", async () => {
  app = fastify();
  await app.register(spillway, { gateway, prefix: "/t/:tenant/live" });
  const ticket = await app.inject({
    method: "POST",
    url: "/t/a%20b/live/tickets",
    headers: json,
    payload: '{"stream":"orders"}',
  });
  expect(new URL(ticket.json<{ url: string }>().url).pathname).toBe("/t/a%20b/live/streams/orders");
});

test("hooks of the scope run before the gateway, and those of others do not", async () => {
  app = fastify();
  await app.register(async (guarded) => {
    guarded.addHook("onRequest", async (_request, reply) => reply.code(403).send("no"));
    await guarded.register(spillway, { gateway, prefix: "/guarded" });
  });
  await app.register(spillway, { gateway, prefix: "/live" });
  expect([(await app.inject("/guarded/streams")).statusCode, (await app.inject("/live/streams")).statusCode]).toEqual([
    403, 200,
  ]);
});

test("the option trustProxy decides about addresses and the scheme of tickets", async () => {
  app = fastify({ trustProxy: true });
  await app.register(spillway, { gateway, prefix: "/live" });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const headers = { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", ...json };
  const reading = read(
    await fetch(`${url}/live/streams/orders`, { headers: { ...headers, accept: "text/event-stream" } }),
  );
  await reading.until(({ events }) => events.length > 0);
  const addresses: unknown[] = [];
  for await (const { address } of gateway.stream("orders").clients()) addresses.push(address);
  expect(addresses).toEqual(["203.0.113.7"]);
  const ticket = await fetch(`${url}/live/tickets`, { method: "POST", headers, body: '{"stream":"orders"}' });
  expect(((await ticket.json()) as { url: string }).url).toMatch(/^https:/);
  await reading.cancel();
});

test("onResponse hooks run, and closeGateway closes the gateway with the application", async () => {
  app = fastify();
  const statuses: number[] = [];
  app.addHook("onResponse", async (_request, reply) => void statuses.push(reply.raw.statusCode));
  await app.register(spillway, { gateway, prefix: "/live", closeGateway: true });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const reading = read(await fetch(`${url}/live/streams/orders`));
  await reading.until(({ events }) => events.length > 0);
  await app.close();
  await eventually(() => reading.ended, "the end of the stream");
  expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
  expect(statuses).toEqual([200]);
  await expect(gateway.publish("orders", { data: "1" })).rejects.toMatchObject({ code: "store-closed" });
});

test("a route with websocket takes the upgrades that the program passes to the gateway", async () => {
  await gateway.close();
  const target = await startEcho();
  gateway = await createGateway({
    store: "memory:",
    drain: "100ms",
    access: { anonymous: ["proxy"] },
    routes: { "/ws/**": { upstream: { url: target }, websocket: true } },
  });
  app = fastify();
  await app.register(spillway, { gateway, prefix: "/live" });
  app.server.on("upgrade", gateway.upgrade({ mount: "/live" }));
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const socket = new WebSocket(`${url.replace("http", "ws")}/live/ws/chat`);
  await once(socket, "open");
  socket.send("hello");
  const [message] = (await once(socket, "message")) as [Buffer];
  expect(message.toString()).toBe("hello");
  // The gateway ends the connections of its routes before the server stops.
  const closed = once(socket, "close");
  await app.close();
  await closed;
});

import { once } from "node:events";
import type { Server } from "node:http";
import express, { type Express } from "express";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway, type NodeOptions } from "spillway";
import { spillway } from "spillway/express";
import { WebSocket } from "ws";
import { startEcho } from "../../support/echo-websocket.ts";
import { portOf } from "../../support/ports.ts";
import { read } from "../../support/reader.ts";

/** What only Express has; test/frameworks/adapters holds what all frameworks have in common. */

let gateway: Gateway;

beforeEach(async () => {
  const access = { anonymous: ["subscribe"], tickets: { anonymous: true } } as const;
  gateway = await createGateway({ store: "memory:", streams: { orders: {} }, access });
});
afterEach(() => gateway.close());

async function serve(app: Express, onServer?: (server: Server) => void): Promise<string> {
  const server = app.listen(0, "127.0.0.1");
  onServer?.(server);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

const headers = {
  "x-forwarded-for": "203.0.113.7",
  "x-forwarded-proto": "https",
  "content-type": "application/json",
};

test.each([
  { trusted: true, address: "203.0.113.7", scheme: "https:" },
  { trusted: false, address: "127.0.0.1", scheme: "http:" },
])("with trust proxy $trusted, clients have the address $address and tickets the scheme $scheme", async (expected) => {
  const app = express();
  app.set("trust proxy", expected.trusted);
  app.use("/live", spillway(gateway));
  const url = await serve(app);
  const reading = read(await fetch(`${url}/live/streams/orders`, { headers }));
  await reading.until(({ events }) => events.length > 0);
  const addresses: unknown[] = [];
  for await (const { address } of gateway.stream("orders").clients()) addresses.push(address);
  expect(addresses).toEqual([expected.address]);
  const ticket = await fetch(`${url}/live/tickets`, { method: "POST", headers, body: '{"stream":"orders"}' });
  expect(new URL(((await ticket.json()) as { url: string }).url).protocol).toBe(expected.scheme);
  await reading.cancel();
});

test("a route with websocket takes the upgrades that the program passes to the gateway", async () => {
  const target = await startEcho();
  const proxy = await createGateway({
    store: "memory:",
    routes: { "/ws/**": { upstream: { url: target }, websocket: true } },
  });
  onTestFinished(() => proxy.close());
  const grant: NodeOptions["grant"] = (request) =>
    request.headers["authorization"] === "Bearer ada" ? { subject: "ada", can: ["proxy"] } : undefined;
  const app = express();
  app.use("/live", spillway(proxy, { grant }));
  const url = await serve(app, (server) => server.on("upgrade", proxy.upgrade({ mount: "/live", grant })));
  const connect = (authorization: string): WebSocket =>
    new WebSocket(`${url.replace("http", "ws")}/live/ws/chat`, { headers: { authorization } });
  const socket = connect("Bearer ada");
  await once(socket, "open");
  socket.send("hello");
  const [message] = (await once(socket, "message")) as [Buffer];
  expect(message.toString()).toBe("hello");
  socket.terminate();
  const [refused] = (await once(connect("Bearer eve"), "error")) as [Error];
  expect(refused.message).toContain("403");
});

import { once } from "node:events";
import express, { type Express } from "express";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { spillway } from "spillway/express";
import { portOf } from "../../support/ports.ts";
import { read } from "../../support/reader.ts";

/** What only Express has; test/frameworks/adapters holds what all frameworks have in common. */

let gateway: Gateway;

beforeEach(async () => {
  const access = { anonymous: ["subscribe"], tickets: { anonymous: true } } as const;
  gateway = await createGateway({ store: "memory:", streams: { orders: {} }, access });
});
afterEach(() => gateway.close());

async function serve(app: Express): Promise<string> {
  const server = app.listen(0, "127.0.0.1");
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

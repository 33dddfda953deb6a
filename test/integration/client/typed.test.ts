import { createGateway, type Gateway } from "spillway";
import { subscribe } from "spillway/client";
import { defineStream } from "spillway/events";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";

const prices = defineStream("prices", {
  events: { trade: v.object({ price: v.number(), at: v.optional(v.string(), "now") }), note: v.string() },
});

let gateway: Gateway;
let url: string;

beforeAll(async () => {
  // The server has no definition, so that it accepts invalid events.
  gateway = await createGateway({ store: "memory:", listen: "127.0.0.1:0", streams: { prices: {} } });
  const { host, port } = await gateway.listen();
  url = `http://${host}:${port}/streams/prices`;
  await gateway.publish("prices", [
    { event: "trade", data: { price: 1 } },
    { event: "trade", data: { price: "2" } },
    { event: "other", data: "text" },
    { event: "note", data: "42 apples" },
  ]);
});

afterAll(() => gateway.close());

test("a subscription with a definition gets what its schemas return, and invalid events as such", async () => {
  const seen: unknown[] = [];
  for await (const event of subscribe(prices, { url, start: { after: "earliest" } })) {
    if (event.type === "trade") seen.push([event.data.price.toFixed(2), event.data.at]);
    else if (event.type === "note") seen.push(event.data.toUpperCase());
    else if (event.type === "spillway.invalid") seen.push([event.data.event, event.data.issues[0]!.field, event.raw]);
    if (seen.length === 4) break;
  }
  expect(seen).toEqual([
    ["1.00", "now"],
    ["trade", "data.price", '{"price":"2"}'],
    ["other", "event", "text"],
    "42 APPLES",
  ]);
});

test("handlers get the events of their type", async () => {
  const subscription = subscribe(prices, { url, start: { after: "earliest" } });
  const [trades, invalid]: [number[], string[]] = [[], []];
  subscription.on("trade", ({ data }) => trades.push(data.price));
  subscription.on("spillway.invalid", ({ data }) => invalid.push(data.event));
  await eventually(() => invalid.length === 2, "the invalid events");
  expect(trades).toEqual([1]);
  subscription.close();
});

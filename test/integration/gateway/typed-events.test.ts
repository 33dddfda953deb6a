import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type } from "arktype";
import { createGateway, type Gateway, type GatewayConfig, type ReceivedEvent } from "spillway";
import { defineStream, type StandardSchema, type StreamDefinition } from "spillway/events";
import * as v from "valibot";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { startFed } from "../../support/fed-gateway.ts";
import { eventually } from "../../support/reader.ts";

let gateway: Gateway;
afterEach(() => gateway.close());

async function open(definition: StreamDefinition, config: GatewayConfig = {}, readConfig?: () => GatewayConfig) {
  const access = { anonymous: ["subscribe", "publish", "admin"] } as const;
  const whole: GatewayConfig = { store: "memory:", access, streams: { [definition.name]: { definition } }, ...config };
  gateway = await createGateway(whole, readConfig && { readConfig: () => ({ ...whole, ...readConfig() }) });
}

const post = async (body: unknown, stream = "orders") => {
  const response = await gateway.fetch(
    new Request(`http://x/streams/${stream}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

/** The first events of a subscription. */
async function take<T>(events: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

const stored = (): number => gateway.status().streams["orders"]!.events;

/** A schema that needs time, such as one that asks a database. */
const slow: StandardSchema<{ id: string; items: { price: number }[] }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    async validate(value) {
      const { id, items } = value as { id: unknown; items: { price: unknown }[] };
      const wrong = items.findIndex(({ price }) => typeof price !== "number");
      if (wrong >= 0) return { issues: [{ message: "a number", path: ["items", { key: wrong }, "price"] }] };
      if (typeof id !== "string") return { issues: [{ message: "a text", path: ["id"] }] };
      return { value: value as { id: string; items: { price: number }[] } };
    },
  },
};

const placed = {
  "zod": z.object({ id: z.string(), items: z.array(z.object({ price: z.number() })) }),
  "valibot": v.object({ id: v.string(), items: v.array(v.object({ price: v.number() })) }),
  "arktype": type({ id: "string", items: type({ price: "number" }).array() }),
  "an asynchronous schema": slow,
} satisfies Record<string, StandardSchema<{ id: string; items: { price: number }[] }>>;

describe.each(Object.entries(placed))("with %s", (_, schema) => {
  const orders = defineStream("orders", {
    events: { placed: schema, cancelled: z.string() },
    channels: ["user:{id}", "news"],
  });

  test("published events are checked, and nothing of a batch with an invalid one is stored", async () => {
    await open(orders);
    const valid = { event: "placed", data: { id: "a", items: [{ price: 1 }] } };
    expect((await post(valid)).status).toBe(200);
    const answer = await post([valid, { event: "placed", data: { id: "b", items: [{ price: 1 }, { price: "2" }] } }]);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      code: "event-invalid",
      field: "[1].data.items[1].price",
      issues: [{ field: "[1].data.items[1].price", message: expect.any(String) as string }],
    });
    const live = gateway.stream(orders);
    await expect(live.publish("placed", { id: 1 as never, items: [] })).rejects.toMatchObject({
      code: "event-invalid",
      field: "[0].data.id",
    });
    await expect(live.send("nobody", "placed", { id: 1 as never, items: [] })).rejects.toMatchObject({
      code: "event-invalid",
    });
    await expect(gateway.stream("orders").send("nobody", "placed", { id: 1 })).rejects.toMatchObject({
      code: "event-invalid",
    });
    expect(stored()).toBe(1);
    await live.to("user:42").publish("placed", { id: "c", items: [] });
    const [first, second] = await take(live.subscribe({ after: "earliest" }), 2);
    expect(first).toMatchObject({ event: "placed", data: { id: "a" }, channel: null });
    expect(second).toMatchObject({
      event: "placed",
      data: { id: "c" },
      channel: "user:42",
      raw: '{"id":"c","items":[]}',
    });
  });

  test("only the types and channels of the definition are accepted", async () => {
    await open(orders);
    expect((await post({ event: "plased", data: {} })).body).toMatchObject({ field: "[0].event" });
    expect((await post({ data: {} })).body).toMatchObject({ code: "event-invalid", field: "[0].event" });
    expect((await post({ event: "toString", data: {} })).body).toMatchObject({ field: "[0].event" });
    expect((await post({ event: "cancelled", data: "x", channel: "users" })).body).toMatchObject({
      code: "event-invalid",
      field: "[0].channel",
    });
    for (const channel of [undefined, "news", "user:1"])
      expect((await post({ event: "cancelled", data: "x", channel })).status).toBe(200);
  });
});

test("texts arrive as they were published, also those that look like JSON", async () => {
  const notes = defineStream("orders", { events: { note: z.string() } });
  await open(notes);
  const live = gateway.stream(notes);
  const texts = ["plain", "42", "true", '"quoted"', "{", "", " ", "null"];
  for (const text of texts) await live.publish("note", text);
  const events = await take(live.subscribe({ after: "earliest" }), texts.length);
  expect(events.map(({ data }) => data)).toEqual(texts);
  expect(events[0]!.raw).toBe("plain");
});

test("the reader gets what the schema makes of the data", async () => {
  const orders = defineStream("orders", {
    events: { placed: z.object({ at: z.iso.datetime().transform((at) => new Date(at)) }) },
  });
  await open(orders);
  const live = gateway.stream(orders);
  await live.publish("placed", { at: "2026-11-30T12:00:00Z" });
  const [event] = await take(live.subscribe({ after: "earliest" }), 1);
  if (event?.event !== "placed") throw new Error("another event");
  expect(event.data.at.getTime()).toBe(Date.UTC(2026, 10, 30, 12));
});

test("events of the source that do not match are stored, counted and delivered as invalid", async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      'id: 1\nevent: trade\ndata: {"price":1}\n\nid: 2\nevent: trade\ndata: {"price":"x"}\n\nid: 3\ndata: other\n\n',
    );
  }).listen(0);
  onTestFinished(() => server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fed = defineStream("fed", { events: { trade: z.object({ price: z.number() }) } });
  const source = await startFed({ url, connect: "always" }, "memory:", { definition: fed });
  ({ gateway } = source);
  await source.untilData(3);
  const events: ReceivedEvent<typeof fed>[] = await take(gateway.stream(fed).subscribe({ after: "earliest" }), 3);
  expect(events).toMatchObject([
    { event: "trade", data: { price: 1 } },
    { event: "spillway.invalid", data: { event: "trade", data: { price: "x" }, issues: [{ field: "data.price" }] } },
    { event: "spillway.invalid", data: { event: "message", data: "other", issues: [{ field: "event" }] } },
  ]);
  await eventually(() => gateway.status().streams["fed"]!.definition!.invalid === 2, "the count");
  expect(gateway.status().streams["fed"]!.definition).toMatchObject({
    lastInvalid: { event: "message", field: "event" },
  });
  expect(source.lines.join("\n")).toContain("does not match the stream's definition");
});

test("a webhook that does not match is stored and reported, because its sender cannot correct it", async () => {
  const orders = defineStream("orders", { events: { placed: z.object({ id: z.string() }) } });
  await open(orders, { streams: { orders: { definition: orders, webhook: { scheme: "none" } } } });
  const response = await gateway.fetch(
    new Request("http://x/webhooks/orders", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"id":1}',
    }),
  );
  expect(response.status).toBe(200);
  expect(stored()).toBe(1);
  expect(gateway.status().streams["orders"]!.definition).toMatchObject({ invalid: 1 });
});

test("a schema that throws refuses the event, and ends nothing", async () => {
  const broken: StandardSchema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: () => {
        throw new Error("broken");
      },
    },
  };
  await open(defineStream("orders", { events: { placed: broken } }));
  expect(await post({ event: "placed", data: 1 })).toMatchObject({ status: 422, body: { field: "[0].data" } });
});

test("a reload changes the definition for what is published from then on", async () => {
  const before = defineStream("orders", { events: { placed: z.string() } });
  const after = defineStream("orders", { events: { placed: z.number() } });
  await open(before, {}, () => ({ streams: { orders: { definition: after } } }));
  expect((await post({ event: "placed", data: "text" })).status).toBe(200);
  await gateway.reload();
  expect((await post({ event: "placed", data: "text" })).status).toBe(422);
  expect((await post({ event: "placed", data: 1 })).status).toBe(200);
});

test("a reload applies a changed module", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-definition-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const module = join(folder, "orders.ts");
  const write = (kind: string): Promise<void> => {
    const validate = `(value: unknown) => (typeof value === "${kind}" ? { value } : { issues: [{ message: "a ${kind}" }] })`;
    const schema = `{ "~standard": { version: 1, vendor: "own", validate: ${validate} } }`;
    return writeFile(
      module,
      `export const orders = { name: "orders", channels: [], events: { placed: ${schema} } };\n`,
    );
  };
  await write("string");
  const streams = { orders: { definition: module } };
  await open(defineStream("orders", { events: {} }), { streams }, () => ({ streams }));
  expect((await post({ event: "placed", data: 1 })).body).toMatchObject({ issues: [{ message: "a string" }] });
  await write("number");
  await gateway.reload();
  expect((await post({ event: "placed", data: 1 })).status).toBe(200);
  await writeFile(module, "export {};\n");
  await expect(gateway.reload()).rejects.toMatchObject({ code: "config-invalid", field: "streams.orders.definition" });
  expect((await post({ event: "placed", data: 1 })).status).toBe(200);
});

test("the definition of another stream is refused, and a typed handle needs one", async () => {
  const quotes = defineStream("quotes", { events: {} });
  await open(quotes);
  const other = createGateway({ store: "memory:", streams: { prices: { definition: quotes } } });
  await expect(other).rejects.toMatchObject({ code: "config-invalid", field: "streams.prices.definition" });
  const plain = await createGateway({ store: "memory:", streams: { quotes: {} } });
  onTestFinished(() => plain.close());
  expect(() => plain.stream(quotes)).toThrow(expect.objectContaining({ code: "config-invalid" }));
  expect(() => plain.stream(defineStream("nothing", { events: {} }))).toThrow(
    expect.objectContaining({ code: "stream-unknown" }),
  );
});

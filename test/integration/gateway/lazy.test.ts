import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLazyGateway, type GatewayConfig, type LazyGateway } from "spillway";
import { defineStream } from "spillway/events";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";

let folder: string;
let made: LazyGateway[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-lazy-"));
  made = [];
});

afterEach(async () => {
  for (const gateway of made) await gateway.close();
  await rm(folder, { recursive: true });
});

const logFile = (): string => join(folder, "log.db");

function config(...streams: string[]): GatewayConfig {
  return { store: `sqlite:${logFile()}`, streams: Object.fromEntries(streams.map((name) => [name, {}])) };
}

/** A lazy gateway as a module creates it; several with the same name are copies of that module. */
function make(source: GatewayConfig | (() => GatewayConfig), name?: string): LazyGateway {
  const gateway = createLazyGateway(source, { logger: false, name });
  made.push(gateway);
  return gateway;
}

async function streamsOf(gateway: LazyGateway): Promise<string[]> {
  const response = await gateway.fetch(new Request("http://app.example/live/streams"), "/live");
  return ((await response.json()) as { streams: { name: string }[] }).streams.map(({ name }) => name);
}

test("nothing is opened, and no configuration read, before the first use", async () => {
  let reads = 0;
  const gateway = make(() => {
    reads++;
    return config("a");
  });
  expect([reads, existsSync(logFile())]).toEqual([0, false]);
  expect(await streamsOf(gateway)).toEqual(["a"]);
  expect([reads, existsSync(logFile())]).toEqual([1, true]);
});

test("copies of a module share one gateway, even if they use it at the same moment", async () => {
  const [one, other] = [make(config("a")), make(config("a"))];
  const [first, second] = await Promise.all([one.publish("a", { data: "1" }), other.publish("a", { data: "2" })]);
  expect(new Set([...first, ...second].map((id) => id.split(".")[1]))).toEqual(new Set(["1", "2"]));
  expect(await one.open()).toBe(await other.open());
  for await (const { data } of other.subscribe("a", { after: "earliest" })) {
    expect(["1", "2"]).toContain(data);
    break;
  }
});

test("a changed module that is loaded again replaces the old one, on the same log", async () => {
  const before = make(config("a"));
  await before.publish("a", { data: "1" });
  const after = make(config("a", "b"));
  expect(await streamsOf(after)).toEqual(["a", "b"]);
  expect(await after.publish("a", { data: "2" })).toEqual([expect.stringMatching(/\.2$/)]);
  // If both were in use, each would close the connections of the other.
  await expect(before.publish("a", { data: "3" })).rejects.toMatchObject({ code: "config-invalid" });
});

test("gateways with different names are independent", async () => {
  const [one, other] = [make(config("a"), "one"), make({ store: "memory:", streams: { b: {} } }, "other")];
  expect([await streamsOf(one), await streamsOf(other), await streamsOf(one)]).toEqual([["a"], ["b"], ["a"]]);
});

test("a failure to open rejects each use, and the next use tries again", async () => {
  let good = false;
  const gateway = make(() => (good ? config("a") : { ...config("a"), store: "sqlite:/nowhere/at/all.db" }));
  const uses = [gateway.publish("a", { data: "1" }), streamsOf(gateway)];
  for (const outcome of await Promise.allSettled(uses)) expect(outcome.status).toBe("rejected");
  good = true;
  expect(await streamsOf(gateway)).toEqual(["a"]);
});

test("a handler for node:http opens the gateway with its first request, and answers if that fails", async () => {
  let good = false;
  const gateway = make(() => (good ? config("a") : { ...config("a"), store: "sqlite:/nowhere/at/all.db" }));
  const server = createServer(gateway.node()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${portOf(server)}`;
  const headers = { connection: "close" };
  const failed = await fetch(`${url}/streams`, { headers });
  expect([failed.status, await failed.json()]).toMatchObject([500, { code: "internal" }]);
  good = true;
  const stream = read(await fetch(`${url}/streams/a`, { headers }));
  await gateway.publish("a", { data: "1" });
  await stream.until(() => stream.data().includes("1"));

  const closed = once(server, "close");
  await gateway.drain();
  server.close();
  await closed;
  await eventually(() => stream.ended, "the end of the stream");
  expect(stream.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
});

test("a function that fails to return the configuration rejects each use, and a handler for node:http answers", async () => {
  const gateway = make(() => {
    throw new Error("SOURCE_URL is not set");
  });
  await expect(gateway.open()).rejects.toThrow("SOURCE_URL");
  const server = createServer(gateway.node()).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const failed = await fetch(`http://127.0.0.1:${portOf(server)}/streams`, { headers: { connection: "close" } });
  expect(failed.status).toBe(500);
});

test("draining a gateway that was not opened opens nothing", async () => {
  await make(config("a")).drain();
  expect(existsSync(logFile())).toBe(false);
});

test("after close, the next use opens it again", async () => {
  const gateway = make(config("a"));
  await gateway.publish("a", { data: "1" });
  await gateway.close();
  expect(await gateway.publish("a", { data: "2" })).toEqual([expect.stringMatching(/\.2$/)]);
});

test("a stream opens the gateway when it is used, and knows its clients", async () => {
  const gateway = make(config("a"));
  const stream = gateway.stream("a");
  expect([stream.name, stream.subscribers(), existsSync(logFile())]).toEqual(["a", { total: 0, byChannel: {} }, false]);
  const [id] = await stream.publish("created", { item: "tea" });
  await stream.to("user:42").publish("paid", { item: "tea" });
  const received = [];
  for await (const { event, channel } of stream.subscribe({ after: "earliest" })) {
    received.push([event, channel ?? null]);
    if (received.length === 2) break;
  }
  expect(received).toEqual([
    ["created", null],
    ["paid", "user:42"],
  ]);

  const reading = read(
    await gateway.fetch(new Request("http://app.example/streams/a", { headers: { "last-event-id": id! } })),
  );
  await reading.until((all) => all.data().length === 1);
  expect(stream.subscribers()).toMatchObject({ total: 1 });
  for await (const { client } of stream.clients()) expect(await stream.send(client, "hint", 1)).toBe(true);
  await reading.until((all) => all.data().length === 2);
  await reading.cancel();
});

test("a typed stream checks and decodes its events; a stream that does not exist is an error when it is used", async () => {
  const orders = defineStream("orders", { events: { created: z.object({ item: z.string() }) } });
  const gateway = make({ store: "memory:", streams: { orders: { definition: orders } } });
  const stream = gateway.stream(orders);
  await stream.publish("created", { item: "tea" });
  await expect(stream.publish("created", { item: 1 as unknown as string })).rejects.toMatchObject({
    code: "event-invalid",
  });
  for await (const event of stream.subscribe({ after: "earliest" })) {
    expect(event.data).toEqual({ item: "tea" });
    break;
  }
  await expect(gateway.stream("other").publish("created", {})).rejects.toMatchObject({ code: "stream-unknown" });
});

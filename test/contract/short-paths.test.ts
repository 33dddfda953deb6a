import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type GatewayConfig } from "spillway";
import { doors, leastDoors, type Door } from "../support/doors.ts";
import { openGateway, type Opened } from "../support/gateways.ts";
import { read } from "../support/reader.ts";

/** `/events`, `/events/<topics>` and `/publish`, as the clients of tutorials use them. */

let opened: Opened | undefined;

afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

async function open(config: Partial<GatewayConfig> = {}, kind = leastDoors[0]!): Promise<Door> {
  opened = await openGateway("memory", kind, { streams: { s: {} }, ...config });
  return opened.door;
}

function publish(door: Door, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const json = { "content-type": "application/json", ...headers };
  return door.request("/publish", { method: "POST", headers: json, body: JSON.stringify(body) });
}

/** The events of the stream. */
async function events(door: Door): Promise<object[]> {
  const headers = { accept: "application/json" };
  const response = await door.request("/streams/s?after=earliest", { headers });
  const page = (await response.json()) as { events: Array<Record<"event" | "channel" | "data", unknown>> };
  return page.events.map(({ event, channel, data }) => ({ event, channel, data }));
}

describe.each(doors)("through $name", (kind) => {
  test("subscribers of topics, of all, and of the whole stream get what is published", async () => {
    const door = await open({}, kind);
    const paths = ["/events/user:42,prices", "/events/user%3A42%2Cprices", "/events/all", "/events", "/events/other"];
    const readings = await Promise.all(paths.map(async (path) => read(await door.request(path))));
    await Promise.all(readings.map((reading) => reading.until(({ events: seen }) => seen.length === 1)));
    const answers = [
      await publish(door, { topic: "prices", data: { btc: 1 } }),
      await publish(door, { channel: "user:42", event: "said", data: "hi" }),
      await publish(door, "text"),
      await publish(door, { topic: "other", data: null }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const all = ['{"btc":1}', "hi", "text", "null"];
    const expected = [all.slice(0, 2), all.slice(0, 2), all, all, ["null"]];
    for (const [index, reading] of readings.entries()) {
      await reading.until(() => reading.data().length === expected[index]!.length);
      expect(reading.data()).toEqual(expected[index]);
      await reading.cancel();
    }
  });
});

test("any JSON can be published: an object with data is an event, any other value is the data of one", async () => {
  const door = await open();
  const bodies = [
    { event: "trade", topic: "btc", data: { price: 1 } },
    { event: "trade", channel: "btc", topic: null, data: [1] },
    { price: 1 },
    [{ data: "a" }, { data: "b" }],
    "text",
    5,
    null,
  ];
  for (const body of bodies) expect((await publish(door, body)).status).toBe(200);
  expect(await events(door)).toEqual([
    { event: "trade", channel: "btc", data: '{"price":1}' },
    { event: "trade", channel: "btc", data: "[1]" },
    { event: "message", channel: null, data: '{"price":1}' },
    { event: "message", channel: null, data: '[{"data":"a"},{"data":"b"}]' },
    { event: "message", channel: null, data: "text" },
    { event: "message", channel: null, data: "5" },
    { event: "message", channel: null, data: "null" },
  ]);
});

test("an event that is not understood is refused, and nothing is published", async () => {
  const door = await open();
  const cases: ReadonlyArray<[body: unknown, field: string]> = [
    [{ data: 1, chanel: "a" }, "body.chanel"],
    [{ data: 1, topic: "a", channel: "b" }, "body.topic"],
    [{ data: 1, topic: 5 }, "body.topic"],
    [{ data: 1, topic: "a,b" }, "body.channel"],
    [{ data: 1, event: "spillway.gap" }, "body.event"],
  ];
  for (const [body, field] of cases) {
    const response = await publish(door, body);
    expect([response.status, await response.json()]).toMatchObject([400, { code: "request-invalid", field }]);
  }
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"]) {
    expect((await publish(door, 1, { "content-type": type })).status).toBe(415);
  }
  expect((await door.request("/publish")).status).toBe(405);
  expect(await events(door)).toEqual([]);
});

test("a repeated request with an Idempotency-Key publishes once", async () => {
  const door = await open();
  const send = (): Promise<Response> => publish(door, { topic: "a", data: 1 }, { "idempotency-key": "k" });
  expect((await send()).headers.get("idempotency-replayed")).toBeNull();
  expect((await send()).headers.get("idempotency-replayed")).toBe("true");
  expect(await events(door)).toHaveLength(1);
});

test("the rights are those for the default stream", async () => {
  const streams = { s: {}, other: {} };
  const anonymous = { can: ["subscribe", "publish"], streams: ["s"], channels: ["a"] } as const;
  const door = await open({ streams, default: "s", access: { anonymous } });
  expect((await publish(door, { topic: "a", data: 1 })).status).toBe(200);
  expect((await publish(door, { topic: "b", data: 1 })).status).toBe(403);
  expect((await publish(door, "to everyone")).status).toBe(403);
  expect((await door.request("/events/a,b")).status).toBe(403);
  await opened!.close();
  const closed = await open({ streams, default: "other", access: { anonymous } });
  expect((await publish(closed, { topic: "a", data: 1 })).status).toBe(403);
  expect((await closed.request("/events/a")).status).toBe(403);
});

test("without a default stream, the answer says what to do", async () => {
  const door = await open({ streams: { s: {}, other: {} } });
  for (const response of [await door.request("/events/a"), await publish(door, 1)]) {
    const detail = expect.stringContaining("set `default`") as string;
    expect([response.status, await response.json()]).toMatchObject([404, { code: "not-found", detail }]);
  }
});

test("a configured route keeps these paths", async () => {
  const url = await serve((request, response) => void response.end(`target ${request.url}`));
  const door = await open({ routes: { "/events/**": { upstream: { url }, access: "none" } } });
  expect(await (await door.request("/events/all")).text()).toBe("target /events/all");
  expect((await publish(door, 1)).status).toBe(200);
});

test("a program that has the gateway at its root keeps these paths", async () => {
  const gateway = await createGateway({ store: "memory:", streams: { s: {} } });
  onTestFinished(() => gateway.close());
  const handle = gateway.node();
  const own = "the program's own";
  const url = await serve((request, response) => handle(request, response, () => void response.end(own)));
  expect(await (await fetch(`${url}/events`)).text()).toBe(own);
  expect(await (await fetch(`${url}/publish`, { method: "POST" })).text()).toBe(own);
  const mounted = read(await gateway.fetch(new Request("http://gateway.test/live/events/all"), "/live"));
  await mounted.until(({ events: seen }) => seen.length === 1);
  await mounted.cancel();
});

/** Listens on a free port until the end of the test, and resolves to the URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

import { connect } from "node:net";
import { createGateway, type ConnectedClient, type Gateway, type GatewayStream } from "spillway";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bearer, makeKey } from "../../support/credentials.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

const admin = makeKey("admin", { can: ["admin", "publish"] });
const ada = makeKey("ada", { can: ["subscribe"], channels: ["user:ada"] });
const bob = makeKey("bob", { can: ["subscribe"] });

let gateway: Gateway;
let prices: GatewayStream;
let origin: string;

beforeAll(async () => {
  gateway = await createGateway({
    store: "memory:",
    listen: "127.0.0.1:0",
    access: { keys: [admin.config, ada.config, bob.config] },
    limits: { body: "64KiB" },
    streams: { prices: {}, orders: {} },
  });
  prices = gateway.stream("prices");
  const { host, port } = await gateway.listen();
  origin = `http://${host}:${port}`;
});

afterAll(() => gateway.close());

interface Client {
  readonly id: string;
  readonly reading: Reading;
}

async function follow(path: string, key = bob.key, headers: Record<string, string> = {}): Promise<Client> {
  const reading = read(await fetch(origin + path, { headers: { ...bearer(key), ...headers } }));
  await reading.until(({ events }) => events.length > 0);
  return { id: reading.controls("connected")[0]!["client"] as string, reading };
}

const json = "application/json";
const ask = (path: string, init: RequestInit = {}, key = admin.key): Promise<Response> =>
  fetch(origin + path, { ...init, headers: { ...bearer(key), "content-type": json, "accept": json } });

const send = (id: string, body: unknown): Promise<Response> =>
  ask(`/admin/subscribers/${id}/events`, { method: "POST", body: JSON.stringify(body) });

async function list(query = ""): Promise<{ subscribers: ConnectedClient[]; next: string | null }> {
  const response = await ask(`/admin/subscribers${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as { subscribers: ConnectedClient[]; next: string | null };
}

const without = async (...clients: Client[]): Promise<void> => {
  await Promise.all(clients.map(({ reading }) => reading.cancel()));
  await eventually(async () => {
    const { subscribers } = await list();
    return subscribers.every(({ client }) => !clients.some(({ id }) => id === client));
  }, "the end of the subscriptions");
};

test("an event for one connection reaches that one only, past its filter, without an id", async () => {
  const one = await follow("/streams/prices?events=trade");
  const other = await follow("/streams/prices");
  expect(await prices.send(one.id, "notice", { text: "to one" })).toBe(true);
  expect(await (await send(one.id, { event: "notice", data: "again" })).json()).toEqual({ delivered: true });
  await one.reading.until(({ events }) => events.length === 3);
  expect(one.reading.events.slice(1)).toMatchObject([
    { event: "notice", data: '{"text":"to one"}' },
    { event: "notice", data: "again" },
  ]);
  expect(one.reading.events.map(({ lastEventId }) => lastEventId)).toEqual(
    Array.from({ length: 3 }, () => one.reading.events[0]!.lastEventId),
  );
  await prices.publish("trade", 1);
  await other.reading.until(({ events }) => events.some(({ event }) => event === "trade"));
  expect(other.reading.events.map(({ event }) => event)).toEqual(["connected", "trade"]);
  await without(one, other);
});

test("it reaches a client of NDJSON, and none of another stream", async () => {
  const response = await fetch(`${origin}/streams/orders`, {
    headers: { ...bearer(bob.key), accept: "application/x-ndjson" },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const lines = async (): Promise<Array<{ event: string; data: string }>> =>
    (await reader.read())
      .value!.trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; data: string });
  const [connected] = await lines();
  const { client } = JSON.parse(connected!.data) as { client: string };
  expect(await prices.send(client, "notice", 1)).toBe(false);
  expect(await gateway.stream("orders").send(client, "notice", 1)).toBe(true);
  expect(await lines()).toEqual([{ id: null, event: "notice", data: "1" }]);
  await reader.cancel();
});

test("an event for a user is published to the user's channel, and arrives after a reconnect", async () => {
  const { reading } = await follow("/streams/prices", ada.key);
  const { lastEventId } = reading.events[0]!;
  await reading.cancel();
  await prices.to("user:ada").publish("notice", "for ada");
  await prices.to("user:bob").publish("notice", "for bob");
  const again = await follow("/streams/prices", ada.key, { "last-event-id": lastEventId });
  await again.reading.until(({ events }) => events.length >= 2);
  expect(again.reading.events[1]).toMatchObject({ event: "notice", data: "for ada" });
  await without(again);
});

test("the list shows who is connected, to what, and since when", async () => {
  const client = await follow("/streams/prices/user:ada", ada.key);
  const other = await follow("/streams/orders?events=sale");
  const held = ask("/streams/prices?wait=5", {}, bob.key);
  const { subscribers, next } = await list();
  expect(next).toBeNull();
  expect(subscribers).toEqual([
    {
      client: client.id,
      stream: "prices",
      subject: "key:ada",
      address: "127.0.0.1",
      filter: { channels: ["user:ada"], broadcast: false },
      connectedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      events: 0,
      lag: 0,
      unsent: 0,
    },
    expect.objectContaining({ client: other.id, filter: { events: ["sale"], broadcast: false } }),
  ]);
  expect((await list("?stream=orders")).subscribers).toMatchObject([{ client: other.id }]);
  expect((await list("?subject=key:ada")).subscribers).toMatchObject([{ client: client.id }]);
  expect((await list("?subject=nobody")).subscribers).toEqual([]);
  const found: string[] = [];
  for await (const each of prices.clients({ subject: "key:ada" })) found.push(each.client);
  expect(found).toEqual([client.id]);
  await without(client, other);
  await prices.publish("trade", 1);
  await held;
});

test("the pages of a list have every client once, in the order in which they connected", async () => {
  const clients: Client[] = [];
  for (let n = 0; n < 7; n++) clients.push(await follow("/streams/prices"));
  const seen: string[] = [];
  let query = "?limit=3";
  for (let pages = 1; ; pages++) {
    const { subscribers, next } = await list(query);
    seen.push(...subscribers.map(({ client }) => client));
    if (next === null) {
      expect(pages).toBe(3);
      break;
    }
    expect(subscribers).toHaveLength(3);
    query = `?limit=3&after=${encodeURIComponent(next)}`;
  }
  expect(seen.toSorted()).toEqual(clients.map(({ id }) => id).toSorted());
  await without(...clients);
});

test("an id that nobody has, or no longer, is answered with 404, or false", async () => {
  const client = await follow("/streams/prices");
  await without(client);
  const forged = client.id.slice(0, -2) + (client.id.endsWith("AA") ? "BA" : "AA");
  for (const id of [client.id, forged, "x", "constructor", "%F0%9F%98%80", "A".repeat(22), "A".repeat(4000)]) {
    const response = await send(id, { data: 1 });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "client-unknown", field: "client" });
    expect(await prices.send(decodeURIComponent(id), "notice", 1)).toBe(false);
  }
});

test("a client that reads too slowly does not get it, and the answer says so", async () => {
  const socket = connect(Number(new URL(origin).port), "127.0.0.1").on("error", () => {});
  socket.write(`GET /streams/prices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob.key}\r\n\r\n`);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await eventually(() => text.includes('"client":"'), "connected");
  const id = /"client":"([^"]+)"/.exec(text)![1]!;
  socket.pause();
  const data = "x".repeat(60_000);
  await eventually(async () => !(await prices.send(id, "big", data)), "a full socket");
  expect(await (await send(id, { data: 1 })).json()).toEqual({ delivered: false });
  socket.destroy();
});

test("only one valid event without a channel and an id is accepted, of a limited size", async () => {
  const client = await follow("/streams/prices");
  const refusals: Array<readonly [unknown, number, string | undefined]> = [
    [{ event: "spillway.bye", data: 1 }, 400, "body.event"],
    [{ data: 1, channel: "c" }, 400, "body.channel"],
    [{ data: 1, id: "1" }, 400, "body.id"],
    [{ event: "a" }, 400, "body.data"],
    [[], 400, "body"],
    [[{ data: 1 }, { data: 2 }], 413, "body"],
    [{ data: "x".repeat(70_000) }, 413, undefined],
  ];
  for (const [body, status, field] of refusals) {
    const response = await send(client.id, body);
    expect([response.status, ((await response.json()) as { field?: string }).field]).toEqual([status, field]);
  }
  for (const query of ["limit=0", "limit=x"]) expect((await ask(`/admin/subscribers?${query}`)).status).toBe(400);
  await expect(prices.send(client.id, "spillway.bye", 1)).rejects.toMatchObject({ code: "request-invalid" });
  await without(client);
});

test("a stream that does not exist has no handle", () => {
  expect(() => gateway.stream("nothing")).toThrow(expect.objectContaining({ code: "stream-unknown" }));
});

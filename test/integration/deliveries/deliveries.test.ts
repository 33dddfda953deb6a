import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createGateway,
  type DeliveredEvent,
  type DeliveryConfig,
  type Gateway,
  type GatewayConfig,
  type Logger,
} from "spillway";
import type { Log, LogStore } from "spillway/log";
import { createMemoryStore } from "spillway/memory";
import { expect, onTestFinished, test } from "vitest";
import { accept, secret, startReceiver, status, type Receiver } from "../../support/receiver.ts";
import { eventually } from "../../support/reader.ts";

async function receiverFor(answer = accept as Receiver["answer"]): Promise<Receiver> {
  const receiver = await startReceiver(answer);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A gateway with the streams `orders` and `orders-dead`, and a delivery `billing` to the receiver. */
async function open(
  url: string,
  options: Partial<DeliveryConfig> = {},
  config: Partial<GatewayConfig> = {},
  runtime: Parameters<typeof createGateway>[1] = {},
): Promise<Gateway> {
  const gateway = await createGateway(configOf(url, options, config), { logger: false, ...runtime });
  onTestFinished(() => gateway.close());
  return gateway;
}

function configOf(url: string, options: Partial<DeliveryConfig>, config: Partial<GatewayConfig> = {}): GatewayConfig {
  return {
    store: "memory:",
    streams: { "orders": {}, "orders-dead": {} },
    deliveries: {
      billing: { stream: "orders", url, sign: { secret }, allowPrivate: true, retry: [], ...options },
    },
    ...config,
  };
}

const billing = (gateway: Gateway): ReturnType<Gateway["deliveries"]["status"]>[string] =>
  gateway.deliveries.status()["billing"]!;

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

async function temporaryStore(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return `sqlite:${folder}/log.db`;
}

test("an event is posted with its data as the body, and a signature that Standard Webhooks accepts", async () => {
  const receiver = await receiverFor();
  const gateway = await open(receiver.url, { headers: { Authorization: "Bearer x" } });
  const [id] = await gateway.publish("orders", { event: "order.paid", channel: "käse 100%", data: { total: 3 } });
  await receiver.count(1);
  const [{ data, headers, verified } = expect.fail()] = receiver.received;
  expect({ data, verified }).toEqual({ data: '{"total":3}', verified: true });
  expect(headers).toMatchObject({
    "authorization": "Bearer x",
    "content-type": "application/json",
    "webhook-id": id!.replace(".", "-"),
    "spillway-id": id,
    "spillway-delivery": "billing",
    "spillway-stream": "orders",
    "spillway-event": "order.paid",
    "spillway-channel": "k%C3%A4se 100%25",
    "spillway-attempt": "1",
  });
  expect(Math.abs(Date.now() - Date.parse(String(headers["spillway-time"])))).toBeLessThan(60_000);
  await eventually(() => billing(gateway).delivered === 1);
  expect(billing(gateway)).toMatchObject({ state: "active", cursor: id, lag: 0, waiting: 0, failed: 0 });
});

test("a request has a signature for each secret, so that a secret can be rotated", async () => {
  const other = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  const receiver = await receiverFor();
  const gateway = await open(receiver.url, { sign: { secret: [other, secret] } });
  await gateway.publish("orders", { data: "1" });
  await receiver.count(1);
  expect(String(receiver.received[0]!.headers["webhook-signature"]).split(" ")).toHaveLength(2);
  expect(receiver.received[0]!.verified).toBe(true);
});

test("text that is not JSON is sent as plain text, and without secrets nothing is signed", async () => {
  const receiver = await receiverFor();
  const gateway = await open(receiver.url, { sign: undefined });
  await gateway.publish("orders", { data: "no {json}" });
  await receiver.count(1);
  const { headers, data } = receiver.received[0]!;
  expect(data).toBe("no {json}");
  expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(headers["webhook-signature"]).toBeUndefined();
});

test("only the channels and types of the delivery are sent, by name or pattern", async () => {
  const receiver = await receiverFor();
  const gateway = await open(receiver.url, { channels: ["shop:*"], events: ["paid"] });
  await gateway.publish("orders", [
    { event: "paid", channel: "shop:1", data: "1" },
    { event: "paid", channel: "user:1", data: "2" },
    { event: "sent", channel: "shop:1", data: "3" },
    { event: "paid", data: "4" },
    { event: "paid", channel: "shop:2", data: "5" },
  ]);
  await receiver.count(2);
  await eventually(() => billing(gateway).lag === 0);
  expect(receiver.data().toSorted()).toEqual(["1", "5"]);
});

test("only the events that match the filter are sent, and one for which it has no result is not", async () => {
  const receiver = await receiverFor();
  const gateway = await open(receiver.url, { events: ["paid"], filter: 'data.total > 100 && channel != "test"' });
  await gateway.publish("orders", [
    { event: "paid", data: { total: 250 } },
    { event: "paid", data: { total: 50 } },
    { event: "paid", channel: "test", data: { total: 300 } },
    { event: "sent", data: { total: 400 } },
    { event: "paid", data: "no total" },
    { event: "paid", channel: "shop", data: { total: 500 } },
  ]);
  await receiver.count(2);
  await eventually(() => billing(gateway).lag === 0);
  expect(receiver.data().toSorted()).toEqual(['{"total":250}', '{"total":500}']);
});

test("a filter that does not compile is refused with its place", async () => {
  await expect(createGateway(configOf("http://127.0.0.1:1", { filter: "data.total >" }))).rejects.toMatchObject({
    code: "config-invalid",
    field: "deliveries.billing.filter",
    position: 12,
  });
});

test("by default a new delivery starts now; with `earliest` at the first event of the stream", async () => {
  const [late, early] = [await receiverFor(), await receiverFor()];
  const store = createMemoryStore();
  const before = await createGateway({ store, streams: { orders: {} } });
  await before.publish("orders", [{ data: "1" }, { data: "2" }]);
  await before.close();
  const gateway = await createGateway({
    store,
    streams: { orders: {} },
    deliveries: {
      late: { stream: "orders", url: late.url, allowPrivate: true },
      early: { stream: "orders", url: early.url, allowPrivate: true, from: "earliest" },
    },
  });
  onTestFinished(() => gateway.close());
  await gateway.publish("orders", { data: "3" });
  await Promise.all([early.count(3), late.count(1)]);
  expect([early.data(), late.data()]).toEqual([["1", "2", "3"], ["3"]]);
});

test("a failed event is sent again with the same id, and a new signature", async () => {
  const receiver = await receiverFor((...sent) => (receiver.received.length < 3 ? status(500) : accept)(...sent));
  const gateway = await open(receiver.url, { retry: ["10ms", "10ms"] });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).delivered === 1);
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect(receiver.received.map(({ headers }) => headers["spillway-attempt"])).toEqual(["1", "2", "3"]);
  expect(receiver.received.every(({ verified }) => verified)).toBe(true);
  expect(billing(gateway)).toMatchObject({
    failed: 2,
    failures: { "delivery-status": 2 },
    lastError: null,
    waiting: 0,
  });
});

test("an event waits behind a failing one of its channel only", async () => {
  const receiver = await receiverFor((response, { data }) => response.writeHead(data === "a1" ? 500 : 204).end());
  const gateway = await open(receiver.url, { retry: ["1h"] });
  await gateway.publish("orders", [
    { channel: "a", data: "a1" },
    { channel: "a", data: "a2" },
    { channel: "b", data: "b1" },
    { channel: "b", data: "b2" },
    { data: "0" },
  ]);
  await eventually(() => billing(gateway).delivered === 3);
  expect(receiver.data().toSorted()).toEqual(["0", "a1", "b1", "b2"]);
  expect(billing(gateway)).toMatchObject({ waiting: 1, lag: 0 });
  expect(Date.parse(billing(gateway).retryAt!)).toBeGreaterThan(Date.now() + 3_000_000);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 5);
  expect(receiver.data().filter((data) => data.startsWith("a"))).toEqual(["a1", "a2"]);
});

test("with `strict` all events wait behind a failing one, and one request is open at a time", async () => {
  const receiver = await receiverFor(status(503));
  const gateway = await open(receiver.url, { retry: ["1h"], order: "strict" });
  await gateway.publish(
    "orders",
    numbers(1, 200).map((data) => ({ data, channel: data })),
  );
  await eventually(() => billing(gateway).waiting === 1);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 200);
  expect(receiver.data()).toEqual(numbers(1, 200));
  expect(receiver.most).toBe(1);
});

test("with `none` events are sent in parallel, and none waits for another", async () => {
  const held: Array<() => void> = [];
  const receiver = await receiverFor((response) => void held.push(() => accept(response)));
  const gateway = await open(receiver.url, { order: "none", parallel: 5 });
  await gateway.publish(
    "orders",
    numbers(1, 20).map((data) => ({ data, channel: "one" })),
  );
  await receiver.count(5);
  receiver.answer = accept;
  for (const release of held) release();
  await eventually(() => billing(gateway).delivered === 20);
  expect(receiver.most).toBe(5);
  expect(
    receiver
      .data()
      .map(Number)
      .toSorted((a, b) => a - b)
      .map(String),
  ).toEqual(numbers(1, 20));
});

test("more events of a failing channel than memory holds are sent in order when it recovers", async () => {
  const receiver = await receiverFor((response, { data }) =>
    response.writeHead(data.startsWith("a") ? 500 : 204).end(),
  );
  const gateway = await open(receiver.url, { retry: ["1h"] });
  const total = 400;
  for (const part of [numbers(1, total / 2), numbers(total / 2 + 1, total)])
    await gateway.publish(
      "orders",
      part.flatMap((n) => [
        { channel: "a", data: `a${n}` },
        { channel: "b", data: `b${n}` },
      ]),
    );
  await eventually(() => billing(gateway).delivered === total);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 2 * total);
  for (const channel of ["a", "b"])
    expect(receiver.data().filter((data) => data.startsWith(channel))).toEqual(
      numbers(1, total).map((n) => channel + n),
    );
  expect(receiver.received).toHaveLength(2 * total + 1);
});

test("a delivery continues after a restart, with its retries, and sends nothing again that was accepted", async () => {
  const store = await temporaryStore();
  const receiver = await receiverFor((response, { data }) => response.writeHead(data === "a1" ? 500 : 204).end());
  const config = configOf(receiver.url, { retry: ["1h", "1h"] }, { store });
  const first = await createGateway(config, { logger: false });
  await first.publish("orders", [
    { channel: "a", data: "a1" },
    { channel: "a", data: "a2" },
    { channel: "b", data: "b1" },
  ]);
  await eventually(() => billing(first).delivered === 1 && billing(first).waiting === 1);
  await first.publish("orders", { channel: "a", data: "a3" });
  await first.close();
  const second = await open(receiver.url, { retry: ["1h", "1h"] }, { store });
  expect(billing(second)).toMatchObject({ delivered: 1, failed: 1, waiting: 1 });
  await second.publish("orders", { channel: "b", data: "b2" });
  await receiver.count(3);
  receiver.answer = accept;
  await second.deliveries.resume("billing");
  await eventually(() => billing(second).delivered === 5);
  const all = receiver.received.map(({ data }) => data);
  expect(all.filter((data) => data.startsWith("a"))).toEqual(["a1", "a1", "a2", "a3"]);
  expect(all.filter((data) => data.startsWith("b"))).toEqual(["b1", "b2"]);
  expect(receiver.received.at(3)!.headers["spillway-attempt"]).toBe("2");
});

test("with failures at random nothing is lost, and the events of a channel stay in order", async () => {
  const receiver = await receiverFor((response) => response.writeHead(Math.random() < 0.3 ? 500 : 204).end());
  const gateway = await open(receiver.url, { retry: Array.from({ length: 20 }, () => "2ms") });
  const all = numbers(1, 600).map((data, index) => ({ data, channel: index % 4 === 0 ? undefined : `c${index % 9}` }));
  for (let sent = 0; sent < all.length; sent += 100) await gateway.publish("orders", all.slice(sent, sent + 100));
  await eventually(() => billing(gateway).delivered === all.length);
  const accepted = receiver.data();
  for (const channel of new Set(all.map((event) => event.channel))) {
    const own = all.filter((event) => event.channel === channel).map(({ data }) => data);
    expect(accepted.filter((data) => own.includes(data))).toEqual(own);
  }
});

test("410 disables a delivery, also after a restart, until it is resumed", async () => {
  const store = await temporaryStore();
  const receiver = await receiverFor(status(410));
  const config = configOf(receiver.url, { order: "strict" }, { store });
  const first = await createGateway(config, { logger: false });
  await first.publish("orders", [{ data: "1" }, { data: "2" }]);
  await eventually(() => billing(first).state === "gone");
  await first.close();
  const second = await open(receiver.url, { order: "strict" }, { store });
  await second.publish("orders", { data: "3" });
  expect(billing(second)).toMatchObject({ state: "gone", lastError: "delivery-gone" });
  receiver.answer = accept;
  await second.deliveries.resume("billing");
  await eventually(() => billing(second).delivered === 3);
  expect(receiver.received.map(({ data }) => data)).toEqual(["1", "1", "2", "3"]);
  expect(billing(second)).toMatchObject({ state: "active", lastError: null });
});

test("a paused delivery sends nothing, and continues where it stopped", async () => {
  const receiver = await receiverFor();
  const gateway = await open(receiver.url);
  await gateway.deliveries.pause("billing");
  expect(billing(gateway).state).toBe("paused");
  await gateway.publish("orders", [{ data: "1" }, { data: "2" }]);
  expect(billing(gateway).lag).toBe(2);
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 2);
  expect(receiver.data()).toEqual(["1", "2"]);
});

test("an event whose attempts have all failed is a dead letter, and the next one of its channel is sent", async () => {
  const receiver = await receiverFor((response, { data }) => response.writeHead(data === "1" ? 400 : 204).end());
  const gateway = await open(receiver.url, { retry: ["5ms"], dead: "orders-dead" });
  const [id] = await gateway.publish("orders", [
    { event: "paid", channel: "a", data: "1" },
    { channel: "a", data: "2" },
  ]);
  await eventually(() => billing(gateway).delivered === 1);
  expect(billing(gateway)).toMatchObject({ dead: 1, failed: 2, waiting: 0 });
  const letter = await firstOf(gateway, "orders-dead");
  expect(letter).toMatchObject({ event: "dead-letter", channel: "billing" });
  expect(JSON.parse(letter.data)).toMatchObject({
    delivery: "billing",
    id,
    event: "paid",
    channel: "a",
    data: "1",
    code: "delivery-status",
    status: 400,
    attempts: 2,
  });
});

async function firstOf(gateway: Gateway, stream: string): Promise<DeliveredEvent> {
  for await (const event of gateway.subscribe(stream, { after: "earliest" })) return event;
  throw new Error("no event");
}

test("dead letters are sent again by a command, each once; those that fail are dead letters again", async () => {
  const receiver = await receiverFor(status(500));
  const gateway = await open(receiver.url, { dead: "orders-dead" });
  await gateway.publish("orders", [{ data: "1" }, { data: "2" }, { data: "3" }]);
  await eventually(() => billing(gateway).dead === 3);
  receiver.answer = (response, { data }) => response.writeHead(data === "2" ? 500 : 204).end();
  await gateway.deliveries.retry("billing");
  await eventually(() => billing(gateway).resent === 2);
  receiver.answer = accept;
  await gateway.deliveries.retry("billing");
  await eventually(() => billing(gateway).resent === 3);
  expect(receiver.received.map(({ data }) => data)).toEqual(["1", "2", "3", "1", "2", "3", "2"]);
  expect(receiver.data()).toEqual(["1", "2", "3"]);
  expect(receiver.received.map(({ headers }) => headers["spillway-attempt"])).toEqual([
    "1",
    "1",
    "1",
    "2",
    "2",
    "2",
    "3",
  ]);
});

test("an event that somebody publishes to the stream of the dead letters is never sent", async () => {
  const receiver = await receiverFor(status(500));
  const gateway = await open(receiver.url, { dead: "orders-dead" });
  const forged = { delivery: "billing", id: "x.1", webhookId: "x-1", event: "paid", data: "forged", time: 1 };
  await gateway.publish("orders-dead", { event: "dead-letter", channel: "billing", data: forged });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).dead === 1);
  receiver.answer = accept;
  await gateway.deliveries.retry("billing");
  await eventually(() => billing(gateway).resent === 1);
  expect(receiver.data()).toEqual(["1"]);
});

test("without a stream for dead letters an event is dropped, counted and logged with its id", async () => {
  const errors: object[] = [];
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (fields) => void errors.push(fields) };
  const receiver = await receiverFor(status(500));
  const gateway = await open(receiver.url, {}, {}, { logger });
  const [id] = await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).dead === 1);
  expect(errors).toEqual([{ delivery: "billing", code: "delivery-status", status: 500, id, attempts: 1 }]);
});

test("events that retention removed before they were sent are announced to the endpoint and counted", async () => {
  const receiver = await receiverFor();
  const store = createMemoryStore();
  const config = configOf(
    receiver.url,
    {},
    {
      streams: { "orders": { retention: { events: 2 } }, "orders-dead": {} },
    },
  );
  const gateway = await createGateway({ ...config, store }, { logger: false });
  onTestFinished(() => gateway.close());
  await gateway.deliveries.pause("billing");
  const ids = await gateway.publish(
    "orders",
    numbers(1, 5).map((data) => ({ data })),
  );
  const log = await store.open("orders", { retention: { age: undefined, events: 2, bytes: undefined } });
  await log.trim();
  await gateway.deliveries.resume("billing");
  await receiver.count(3);
  const [gap, ...rest] = receiver.received;
  expect(gap!.headers["spillway-event"]).toBe("spillway.gap");
  expect(JSON.parse(gap!.data)).toEqual({
    reason: "trimmed",
    requested: ids[0]!.replace(/1$/, "0"),
    earliest: ids[3],
    lost: 3,
  });
  expect(rest.map(({ data }) => data)).toEqual(["4", "5"]);
  await eventually(() => billing(gateway).delivered === 3);
  expect(billing(gateway).gaps).toBe(1);
});

test("a redirect is not followed", async () => {
  const other = await receiverFor();
  const receiver = await receiverFor(status(307, { location: other.url }));
  const gateway = await open(receiver.url);
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).dead === 1);
  expect(billing(gateway).failures).toEqual({ "delivery-redirect": 1 });
  expect(other.received).toHaveLength(0);
});

test("an endpoint that hangs is given up after the timeout", async () => {
  const receiver = await receiverFor(() => {});
  const gateway = await open(receiver.url, { timeout: "30ms" });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).dead === 1);
  expect(billing(gateway).failures).toEqual({ "delivery-timeout": 1 });
});

test("a status of 2xx counts, also if the body has not ended by the timeout", async () => {
  const receiver = await receiverFor((response) => void response.writeHead(200).write("begin"));
  const gateway = await open(receiver.url, { timeout: "200ms", retry: Array.from({ length: 20 }, () => "5ms") });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).delivered === 1);
});

test("a response without an end is cut, and the next request is answered", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const receiver = await receiverFor((response) => {
    response.writeHead(200);
    const write = (): void => {
      while (response.write(chunk)) sent += chunk.length;
    };
    response.on("drain", write).on("error", () => {});
    write();
  });
  const gateway = await open(receiver.url, { order: "strict" });
  await gateway.publish("orders", [{ data: "1" }, { data: "2" }]);
  await eventually(() => billing(gateway).delivered === 2);
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test("an endpoint that cannot be reached, or sends no HTTP, is retried", async () => {
  const receiver = await receiverFor((_response, _received, { socket }) => void socket.end("nonsense\r\n\r\n"));
  const gateway = await open(receiver.url, { retry: ["5ms", "1h"] });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).failed === 2);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 1);
  expect(billing(gateway).failures).toEqual({ "delivery-failed": 2 });
});

test("`Retry-After` holds the whole delivery back", async () => {
  const receiver = await receiverFor(status(429, { "retry-after": "3600" }));
  const gateway = await open(receiver.url, { retry: ["5ms"], order: "none", parallel: 1 });
  await gateway.publish("orders", [{ data: "1" }, { data: "2" }]);
  await eventually(() => billing(gateway).failed === 1);
  expect(Date.parse(billing(gateway).retryAt!)).toBeGreaterThan(Date.now() + 3_000_000);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 2);
  expect(receiver.received).toHaveLength(3);
});

test.for([
  "http://127.0.0.1:9",
  "http://localhost:9",
  "http://[::1]:9",
  "http://[::ffff:10.0.0.1]:9",
  "http://0x7f.1:9",
])("%s is refused as an address that is not public", async (url) => {
  const gateway = await open(url, { allowPrivate: false });
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).dead === 1);
  expect(billing(gateway).failures).toEqual({ "delivery-address-denied": 1 });
});

test("a dead endpoint does not keep others from their events", async () => {
  const [dead, alive] = [await receiverFor(() => {}), await receiverFor()];
  const gateway = await open(
    alive.url,
    {},
    {
      deliveries: {
        dead: { stream: "orders", url: dead.url, allowPrivate: true },
        billing: { stream: "orders", url: alive.url, allowPrivate: true },
      },
    },
  );
  await gateway.publish(
    "orders",
    numbers(1, 100).map((data) => ({ data, channel: data })),
  );
  await eventually(() => billing(gateway).delivered === 100);
  expect(dead.most).toBe(10);
});

test("an endpoint that refuses everything gets few new events until it recovers", async () => {
  const receiver = await receiverFor(status(500));
  const gateway = await open(receiver.url, { retry: ["1h"], order: "none" });
  await gateway.publish(
    "orders",
    numbers(1, 500).map((data) => ({ data })),
  );
  await eventually(() => billing(gateway).state === "failing");
  await eventually(() => receiver.received.length === billing(gateway).failed);
  expect(receiver.received.length).toBeLessThan(50);
  receiver.answer = accept;
  await gateway.deliveries.resume("billing");
  await eventually(() => billing(gateway).delivered === 500);
});

test("a reload adds, changes and removes deliveries, and a changed one keeps its position", async () => {
  const [first, second] = [await receiverFor(), await receiverFor()];
  let config = configOf(first.url, {});
  const gateway = await createGateway(config, { logger: false, readConfig: () => config });
  onTestFinished(() => gateway.close());
  await gateway.publish("orders", { data: "1" });
  await eventually(() => billing(gateway).delivered === 1);
  const added = { stream: "more", url: first.url, allowPrivate: true, from: "earliest" } as const;
  config = configOf(second.url, {}, { streams: { ...config.streams, more: {} } });
  config = { ...config, deliveries: { ...config.deliveries, added } };
  await gateway.reload();
  await gateway.publish("orders", { data: "2" });
  await gateway.publish("more", { data: "3" });
  await Promise.all([second.count(1), first.count(2)]);
  expect([first.data(), second.data()]).toEqual([["1", "3"], ["2"]]);
  await eventually(() => billing(gateway).delivered === 2);
  config = { ...config, deliveries: {} };
  await gateway.reload();
  expect(gateway.deliveries.status()).toEqual({});
});

/** A store in memory that counts who follows the journal of the delivery. `refuse` makes it refuse to open it. */
function journalStore(): {
  readonly store: LogStore;
  refuse: boolean;
  readonly refused: number;
  readonly followers: number;
} {
  const inner = createMemoryStore();
  const seen = { refuse: false, refused: 0, followers: 0 };
  const openLog: LogStore["open"] = async (stream, options) => {
    if (stream !== "_delivery_billing") return inner.open(stream, options);
    if (seen.refuse) {
      seen.refused++;
      throw new Error("not now");
    }
    const log = await inner.open(stream, options);
    const watch: Log["watch"] = (listener) => {
      const unwatch = log.watch(listener);
      seen.followers++;
      return () => {
        seen.followers--;
        unwatch();
      };
    };
    const { epoch } = log;
    return {
      stream,
      epoch,
      watch,
      state: () => log.state(),
      append: (events, how) => log.append(events, how),
      read: (after, how) => log.read(after, how),
      find: (position, how) => log.find(position, how),
      trim: () => log.trim(),
    };
  };
  return Object.assign(seen, { store: { ...inner, open: openLog } });
}

test("commands that come while the journal cannot be opened open it once", async () => {
  const receiver = await receiverFor();
  const journal = journalStore();
  journal.refuse = true;
  const gateway = await createGateway({ ...configOf(receiver.url, {}), store: journal.store }, { logger: false });
  onTestFinished(() => gateway.close());
  await Promise.allSettled(["pause", "pause"].map(() => gateway.deliveries.pause("billing")));
  expect(journal.refused).toBeGreaterThan(2);
  journal.refuse = false;
  await Promise.all([gateway.deliveries.pause("billing"), gateway.deliveries.resume("billing")]);
  await gateway.publish("orders", { data: "1" });
  await receiver.count(1);
  expect(journal.followers).toBe(1);
});

test("a name without a delivery is refused with its code", async () => {
  const gateway = await open("http://127.0.0.1:9");
  await expect(gateway.deliveries.pause("unknown")).rejects.toMatchObject({ code: "delivery-unknown" });
});

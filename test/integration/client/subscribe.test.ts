import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { subscribe, type CursorStore, type Gap } from "../../../src/client/index.ts";
import { collect, hurry, observe } from "../../support/client.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

let server: GatewayServer;
let proxy: TcpProxy;
let streams = 0;

beforeAll(async () => {
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const filled = Object.fromEntries(names.map((name) => [name, {}]));
  server = await serveGateway({
    store: "memory:",
    access: { anonymous: ["subscribe", "publish"] },
    streams: {
      ...filled,
      short: { retention: { events: 3 } },
      // So that no heartbeat says what the end of a replay should.
      silent: { heartbeat: "1h" },
      own: { heartbeat: "1h", ids: "upstream" },
    },
  });
  proxy = await startTcpProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

/** A stream of the test's own. */
const fresh = (): string => `s${streams++}`;
/** Its URL, by way of the proxy. */
const urlOf = (stream: string): string => `http://127.0.0.1:${proxy.port}/streams/${stream}`;
const publish = (stream: string, ...data: unknown[]): Promise<string[]> =>
  server.gateway.publish(
    stream,
    data.map((each) => ({ event: "trade", data: each })),
  );
const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A store of one position, with what was saved. */
function memoryCursor(stored?: string): CursorStore & { readonly saved: string[] } {
  const saved: string[] = [];
  return { saved, load: () => stored, save: (cursor) => saved.push(cursor) };
}

test("an iteration gets events with their type, parsed data, text and id", async () => {
  const stream = fresh();
  const ids = await publish(stream, { price: 1 }, "plain text");
  const seen: unknown[] = [];
  for await (const event of observe(urlOf(stream), { start: { after: "earliest" } }).subscription) {
    seen.push(event);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([
    { type: "trade", data: { price: 1 }, raw: '{"price":1}', id: ids[0] },
    { type: "trade", data: "plain text", raw: "plain text", id: ids[1] },
  ]);
  await eventually(() => server.gateway.status().streams[stream]!.subscribers === 0);
});

test("cut off again and again, a subscriber gets 1..M", async () => {
  const stream = fresh();
  const client = collect(urlOf(stream));
  await eventually(() => client.subscription.caughtUp);
  for (let round = 0; round < 20; round++) {
    await publish(stream, ...numbers(round * 10 + 1, round * 10 + 10));
    if (round % 2 === 0) proxy.cut();
    else proxy.reset();
  }
  await eventually(() => client.events.length >= 200);
  expect(client.data()).toEqual(numbers(1, 200));
});

test("handlers are called by type, one event after the other", async () => {
  const stream = fresh();
  const client = observe(urlOf(stream));
  const seen: string[] = [];
  let finish = (): void => {};
  client.subscription.on("trade", async ({ data }) => {
    seen.push(`trade ${String(data)}`);
    if (data === 1) await new Promise<void>((resolve) => (finish = resolve));
  });
  const off = client.subscription.on("quote", ({ data }) => seen.push(`quote ${String(data)}`));
  await eventually(() => client.subscription.caughtUp);
  await publish(stream, 1);
  const [id] = await server.gateway.publish(stream, { event: "quote", data: 2 });
  await eventually(() => seen.length === 1);
  expect(client.subscription.cursor).not.toBe(id);
  finish();
  await eventually(() => client.subscription.cursor === id);
  off();
  await server.gateway.publish(stream, { event: "quote", data: 3 });
  await publish(stream, 4);
  await eventually(() => seen.length === 3);
  expect(seen).toEqual(["trade 1", "quote 2", "trade 4"]);
});

test("the position is stored when the handler has settled, and a later subscription resumes from it", async () => {
  const stream = fresh();
  const ids = await publish(stream, 1, 2, 3);
  const cursor = memoryCursor();
  const client = observe(urlOf(stream), { cursor, start: { after: "earliest" } });
  const seen: unknown[] = [];
  client.subscription.on("trade", ({ data }) => {
    seen.push(data);
    if (data === 3) throw new Error("cannot handle 3");
  });
  await eventually(() => client.subscription.state.status === "closed");
  expect(client.subscription.state).toMatchObject({
    error: { code: "handler-failed", cause: { message: "cannot handle 3" } },
  });
  expect(cursor.saved.at(-1)).toBe(ids[1]);
  const later = collect(urlOf(stream), { cursor: memoryCursor(ids[1]), start: { after: "now" } });
  await eventually(() => later.events.length === 1);
  expect(later.data()).toEqual([3]);
});

const full = new Error("full");
const rejecting = (): Promise<never> => Promise.reject(full);
const throwing = (): never => {
  throw full;
};

test.each([throwing, rejecting])("a position that cannot be stored ends the subscription: %o", async (save) => {
  const stream = fresh();
  await publish(stream, 1);
  const client = collect(urlOf(stream), { cursor: { load: () => null, save }, start: { after: "earliest" } });
  await eventually(() => client.subscription.state.status === "closed");
  expect(client.subscription.state).toMatchObject({ error: { code: "handler-failed", cause: full, fatal: true } });
});

test.each([throwing, rejecting])(
  "a subscription closes, whether its position can be stored or not: %o",
  async (save) => {
    const stream = fresh();
    await publish(stream, 1);
    const client = observe(urlOf(stream), { cursor: { load: () => null, save }, start: { after: "earliest" } });
    client.subscription.on("trade", () => void setImmediate(client.subscription.close));
    await eventually(() => client.subscription.state.status === "closed");
    expect(client.subscription.state).toEqual({ status: "closed", error: undefined });
  },
);

test("onGap holds back the events after a gap until it has settled", async () => {
  const [first] = await publish("short", 1, 2, 3, 4, 5, 6);
  const gaps: Gap[] = [];
  let finish = (): void => {};
  const client = collect(urlOf("short"), {
    cursor: memoryCursor(first),
    onGap(gap) {
      gaps.push(gap);
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await eventually(() => gaps.length === 1);
  expect(client.events).toEqual([]);
  expect(client.subscription.cursor).toBe(first);
  finish();
  await eventually(() => client.events.length === 3);
  expect(gaps).toEqual([{ reason: "trimmed", lost: 2 }]);
  expect(client.data()).toEqual([4, 5, 6]);
});

test("without onGap, gaps and resets are events", async () => {
  const stream = fresh();
  await publish(stream, 1);
  const client = collect(urlOf(stream), { cursor: memoryCursor("elsewhere.9") });
  const unknown = collect(urlOf(stream), { cursor: memoryCursor("nonsense") });
  await eventually(() => client.events.length === 2 && unknown.events.length === 2);
  expect(client.events[0]).toMatchObject({ type: "spillway.reset", data: { reason: "reset", lost: null } });
  expect(unknown.events[0]).toMatchObject({ type: "spillway.gap", data: { reason: "unknown", lost: null } });
});

test("caughtUp becomes true with the last event that was there at the start", async () => {
  const stream = fresh();
  await publish(stream, 1, 2);
  const client = observe(urlOf(stream), { start: { last: 2 } });
  const seen: [unknown, boolean][] = [];
  client.subscription.on("trade", ({ data }) => void seen.push([data, client.subscription.caughtUp]));
  await eventually(() => client.subscription.caughtUp);
  await publish(stream, 3);
  await eventually(() => seen.length === 3);
  expect(seen).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ]);
});

test("with a filter, a subscriber has caught up when its replay has ended, and stores that position", async () => {
  const ids = await publish("silent", 1, 2);
  const cursor = memoryCursor();
  const client = collect(urlOf("silent"), { cursor, start: { after: "earliest" }, filter: "data == 1" });
  await eventually(() => client.subscription.caughtUp);
  expect([client.data(), client.subscription.cursor]).toEqual([[1], ids[1]]);
  client.subscription.close();
  expect(cursor.saved.at(-1)).toBe(ids[1]);
});

test("with upstream ids, a subscriber has caught up when its replay has ended, and keeps the last of these ids", async () => {
  await server.gateway.publish("own", [{ data: 1, id: "first" }, { data: 2 }]);
  const client = collect(urlOf("own"), { start: { after: "earliest" } });
  await eventually(() => client.subscription.caughtUp);
  expect([client.data(), client.subscription.cursor]).toEqual([[1, 2], "first"]);
});

test("channels, types and a start position are part of the request", async () => {
  const stream = fresh();
  await server.gateway.publish(stream, [
    { event: "trade", channel: "btc", data: 1 },
    { event: "quote", channel: "btc", data: 2 },
    { event: "trade", channel: "eth", data: 3 },
    { event: "trade", channel: "xrp", data: 4 },
  ]);
  const options = { channels: ["btc", "e*"], events: ["trade"] };
  const client = collect(urlOf(stream), { ...options, start: { since: new Date(0).toISOString() } });
  const [other] = [collect(urlOf(stream), { ...options, start: { last: 1 } })];
  await eventually(() => client.events.length === 2 && other.events.length === 1);
  expect([client.data(), other.data()]).toEqual([[1, 3], [3]]);
});

test("a slow reader gets every event, and does not hold more than it reads ahead", async () => {
  const stream = fresh();
  const size = 100_000;
  await publish(stream, ...numbers(1, 100).map((n) => String(n).padEnd(size, " ")));
  const { subscription } = observe(urlOf(stream), { start: { after: "earliest" }, parse: (raw) => raw.length });
  const iterator = subscription[Symbol.asyncIterator]();
  expect(await iterator.next()).toMatchObject({ value: { data: size } });
  for (let n = 2; n <= 100; n++) expect(await iterator.next()).toMatchObject({ value: { data: size } });
  await iterator.return!();
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("a signal closes the subscription, also before it starts", async () => {
  const stream = fresh();
  const controller = new AbortController();
  const client = collect(urlOf(stream), { signal: controller.signal });
  await eventually(() => client.subscription.caughtUp);
  controller.abort();
  expect(client.subscription.state).toEqual({ status: "closed", error: undefined });
  const late = observe(urlOf(stream), { signal: controller.signal });
  for await (const event of late.subscription) expect.unreachable(event.type);
  await eventually(() => server.gateway.status().streams[stream]!.subscribers === 0);
});

test("a subscription is read once", async () => {
  const { subscription } = collect(urlOf(fresh()));
  expect(() => subscription[Symbol.asyncIterator]()).toThrow(TypeError);
});

test("the types of events narrow their data", () => {
  interface Trades {
    readonly trade: { readonly price: number };
    readonly halt: string;
  }
  const subscription = subscribe<Trades>(urlOf("short"), { backoff: hurry });
  onTestFinished(subscription.close);
  subscription.on("trade", ({ data }) => data.price.toFixed(2));
  subscription.on("*", (event) => {
    if (event.type === "spillway.gap") return event.data.lost;
    return event.type === "halt" ? event.data.length : undefined;
  });
});

test("without a listener for its state, a subscription that fails ends the program with its error", async () => {
  const program = `
    import { subscribe } from "spillway/client";
    subscribe(${JSON.stringify(urlOf("missing"))}).on("trade", () => {});
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect(stderr).toContain("ClientError: stream-unknown 404");
  expect(code).toBe(1);
});

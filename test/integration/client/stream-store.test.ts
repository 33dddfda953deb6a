import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createStreamClient, type StreamClient, type StreamStore } from "../../../src/stream-store/index.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

/** What every store gives to a framework, without one. What is behind it is tested with React in browsers. */

let server: GatewayServer;
let proxy: TcpProxy;
let client: StreamClient;
let streams = 0;

beforeAll(async () => {
  const names = Array.from({ length: 10 }, (_, n) => [`s${n}`, {}] as const);
  server = await serveGateway({
    store: "memory:",
    streams: { ...Object.fromEntries(names), short: { retention: { events: 2 } } },
  });
  proxy = await startTcpProxy(server.port);
  client = createStreamClient({ url: `http://127.0.0.1:${proxy.port}`, linger: 1, backoff: { min: 1, max: 20 } });
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

const fresh = (): string => `s${streams++}`;
const publish = (stream: string, ...data: number[]): Promise<string[]> =>
  server.gateway.publish(
    stream,
    data.map((each) => ({ event: "number", data: each })),
  );
const subscribers = (stream: string): number => server.gateway.status().streams[stream]!.subscribers;

/** A store of a stream's numbers. */
function numbersOf(stream: string, load?: () => Promise<number[]>): StreamStore<number[]> {
  return client.store(stream, {
    initial: [] as number[],
    reduce: (numbers, event) => (event.type === "number" ? [...numbers, Number(event.data)] : numbers),
    load,
  });
}

async function expectData(store: StreamStore<number[]>, data: readonly number[]): Promise<void> {
  await expect.poll(() => store.getSnapshot().data).toEqual(data);
}

test("a store is connected from its first subscriber to its last, and tells each of them of changes", async () => {
  const stream = fresh();
  const store = numbersOf(stream);
  expect(store.getSnapshot()).toMatchObject({ data: [], stale: true, state: { status: "connecting" } });
  const changes = [0, 0];
  const stops = changes.map((_, index) => store.subscribe(() => changes[index]!++));
  await eventually(() => !store.getSnapshot().stale);
  expect(subscribers(stream)).toBe(1);
  await publish(stream, 1, 2);
  await expectData(store, [1, 2]);
  expect(store.getSnapshot()).toBe(store.getSnapshot());
  stops[0]!();
  stops[0]!();
  const before = [...changes];
  await publish(stream, 3);
  await expectData(store, [1, 2, 3]);
  expect(changes[0]).toBe(before[0]);
  expect(changes[1]).toBeGreaterThan(before[1]!);
  stops[1]!();
  await eventually(() => subscribers(stream) === 0);
});

test("a store without subscribers is not connected, and resumes exactly with the next one", async () => {
  const stream = fresh();
  const store = numbersOf(stream);
  const stop = store.subscribe(() => {});
  await eventually(() => !store.getSnapshot().stale);
  await publish(stream, 1);
  await expectData(store, [1]);
  stop();
  await eventually(() => subscribers(stream) === 0);
  await publish(stream, 2, 3);
  onTestFinished(store.subscribe(() => {}));
  await expectData(store, [1, 2, 3]);
});

test("stores of the same events share a connection, and get each event once although it is cut", async () => {
  const stream = fresh();
  const stores = [numbersOf(stream), numbersOf(stream)];
  for (const store of stores) onTestFinished(store.subscribe(() => {}));
  await eventually(() => stores.every((store) => !store.getSnapshot().stale));
  expect(subscribers(stream)).toBe(1);
  for (let n = 1; n <= 30; n++) {
    await publish(stream, n);
    if (n % 10 === 0) proxy.reset();
  }
  for (const store of stores)
    await expectData(
      store,
      Array.from({ length: 30 }, (_, n) => n + 1),
    );
});

test("data is loaded when the stream is open, and again after a gap, before the next event", async () => {
  let stored = [7];
  const store = numbersOf("short", () => Promise.resolve(stored));
  const stop = store.subscribe(() => {});
  await expectData(store, [7]);
  await publish("short", 8);
  await expectData(store, [7, 8]);
  stop();
  await eventually(() => subscribers("short") === 0);
  stored = [7, 8, 9, 10, 11];
  await publish("short", 9, 10, 11, 12, 13);
  onTestFinished(store.subscribe(() => {}));
  await expectData(store, [7, 8, 9, 10, 11, 12, 13]);
});

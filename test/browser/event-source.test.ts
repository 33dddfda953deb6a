import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Browser } from "playwright-core";
import type { GatewayConfig } from "../../src/index.ts";
import { chromiumInstalled, launchChromium, openRecordingPage, recordingPage } from "../support/chromium.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { recordEvents, untilReceived, type Received, type Recorder } from "../support/recorder.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

/** Opens an EventSource on a path of the server behind the port, listening to these types beside `message`. */
type Open = (port: number, path: string, types: readonly string[]) => Promise<Recorder>;

let browser: Browser;

const openInNode: Open = (port, path, types) => Promise.resolve(recordEvents(`http://127.0.0.1:${port}${path}`, types));
const openInChromium: Open = (port, path, types) =>
  openRecordingPage(browser, `http://127.0.0.1:${port}/`, path, types);

const clients = [
  { name: "eventsource from npm", installed: true, open: openInNode },
  { name: "Chromium", installed: chromiumInstalled, open: openInChromium },
];

let server: GatewayServer;
let proxy: TcpProxy;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());
/** A gateway with one stream `s`, whose clients connect through a proxy that can disconnect them. */
async function serve(stream: NonNullable<GatewayConfig["streams"]>[string] = {}): Promise<void> {
  const access = { anonymous: ["subscribe", "admin"] } as const;
  const streams = { s: { retry: "100ms", ...stream } };
  server = await serveGateway({ store: "memory:", streams, access }, { page: recordingPage });
  onTestFinished(server.close);
  proxy = await startTcpProxy(server.port);
  onTestFinished(proxy.close);
}

/** Connects a client and waits until it has its position in the stream. */
async function subscribe(open: Open, path: string, types: readonly string[]): Promise<Recorder> {
  const recorder = await open(proxy.port, path, ["connected", ...types]);
  onTestFinished(recorder.close);
  await untilReceived(recorder, "connected", 1);
  return recorder;
}

/** Publishes the numbers from `first` to `last`, one event each. */
async function publish(first: number, last: number, event = "trade", channel?: string): Promise<void> {
  for (let n = first; n <= last; n++) await server.gateway.publish("s", { event, data: String(n), channel });
}

/** Disconnects the client while `meanwhile` runs. It reconnects automatically. */
async function whileCutOff(meanwhile: () => Promise<void>): Promise<void> {
  proxy.refuse(true);
  proxy.cut();
  await eventually(() => proxy.open() === 0);
  await meanwhile();
  proxy.refuse(false);
}

const dataOf = (received: readonly Received[], event = "trade"): string[] =>
  received.filter((one) => one.event === event).map(({ data }) => data);

const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => String(first + i));

describe.each(clients)("$name", ({ installed, open }) => {
  test.runIf(installed)("gets typed events by name and untyped events as messages", async () => {
    await serve();
    const client = await subscribe(open, "/streams/s", ["trade", "quote"]);
    await server.gateway.publish("s", [
      { event: "trade", data: "1" },
      { event: "quote", data: "two\nlines" },
      { data: { plain: true } },
    ]);
    await untilReceived(client, "message", 1);
    const received = (await client.received()).filter(({ event }) => event !== "connected");
    expect(received.map(({ event, data }) => [event, data])).toEqual([
      ["trade", "1"],
      ["quote", "two\nlines"],
      ["message", '{"plain":true}'],
    ]);
    expect(new Set(received.map(({ id }) => id)).size).toBe(3);
  });

  test.runIf(installed)("reconnects after a broken connection and gets exactly the missed events", async () => {
    await serve();
    const client = await subscribe(open, "/streams/s", ["trade"]);
    await publish(1, 5);
    await untilReceived(client, "trade", 5);
    const last = (await client.received()).at(-1)?.id;
    await whileCutOff(() => publish(6, 10));
    await untilReceived(client, "connected", 2);
    await publish(11, 12);
    await untilReceived(client, "trade", 12);
    expect(dataOf(await client.received())).toEqual(numbers(1, 12));
    expect(server.resumed).toEqual([undefined, last]);
  });

  test.runIf(installed)("gets a gap once, by name and never as a message", async () => {
    await serve({ retention: { events: 5 } });
    const client = await subscribe(open, "/streams/s", ["trade", "spillway.gap"]);
    await publish(1, 3);
    await untilReceived(client, "trade", 3);
    await whileCutOff(async () => {
      await publish(4, 20);
      await eventually(async () => (await earliest()) === 16);
    });
    await untilReceived(client, "trade", 3 + 5);
    const received = await client.received();
    expect(dataOf(received)).toEqual([...numbers(1, 3), ...numbers(16, 20)]);
    expect(dataOf(received, "message")).toEqual([]);
    const gaps = dataOf(received, "spillway.gap").map((data) => JSON.parse(data) as unknown);
    expect(gaps).toEqual([
      { reason: "trimmed", requested: server.resumed[1], earliest: expect.stringMatching(/\.16$/), lost: 12 },
    ]);
    const places = received.map(({ event }) => event);
    expect(places.indexOf("spillway.gap")).toBe(places.lastIndexOf("connected") + 1);
  });

  test.runIf(installed)("resumes from a heartbeat with its position, not from its last event", async () => {
    await serve({ heartbeat: "1s" });
    const client = await subscribe(open, "/streams/s?channels=mine", ["trade"]);
    await publish(1, 1, "trade", "mine");
    await untilReceived(client, "trade", 1);
    await publish(2, 9, "trade", "other");
    const [checkpoint] = await server.gateway.publish("s", { event: "trade", data: "10", channel: "other" });
    // Nothing shows that the client has read it, and a browser drops what it has not read of a response that breaks. So it
    // gets another heartbeat before the cut.
    await eventually(() => proxy.hasPassed(new RegExp(`\\nid: ${checkpoint}\\n[^]*\\n:`)));
    await whileCutOff(() => publish(11, 11, "trade", "mine"));
    await untilReceived(client, "trade", 2);
    const received = await client.received();
    expect(dataOf(received)).toEqual(["1", "11"]);
    expect(dataOf(received, "message")).toEqual([]);
    expect(server.resumed.at(-1)).toBe(checkpoint);
  });
});

/** The number of the first event that the stream holds. */
async function earliest(): Promise<number> {
  const response = await fetch(`${server.url}/streams`);
  const { streams } = (await response.json()) as { streams: [{ earliest: string }] };
  return Number(streams[0].earliest.split(".")[1]);
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startBetterSse } from "../support/better-sse.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { nchanInstalled, startNchan } from "../support/nchan.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { recordEvents, untilReceived, type Recorder } from "../support/recorder.ts";

/** An event source by other authors. */
interface Peer {
  readonly url: string;
  /** Publishes the numbers from `first` to `last`, one event of the type `trade` each. */
  publish(first: number, last: number): Promise<void>;
  /** Cuts the connections of its subscribers. */
  interrupt(): Promise<void>;
  close(): Promise<void>;
}

async function nchanPeer(): Promise<Peer> {
  const nchan = await startNchan();
  return {
    url: nchan.url("prices"),
    async publish(first, last) {
      for (let n = first; n <= last; n++) await nchan.publish("prices", "trade", String(n));
    },
    async interrupt() {
      await nchan.kill();
      await nchan.start();
    },
    close: () => nchan.close(),
  };
}

async function betterSsePeer(): Promise<Peer> {
  const server = await startBetterSse();
  return {
    url: server.url,
    publish(first, last) {
      for (let n = first; n <= last; n++) server.publish("trade", n);
      return Promise.resolve();
    },
    interrupt: () => Promise.resolve(server.disconnect()),
    close: () => server.close(),
  };
}

const peers = [
  { name: "nginx with nchan", installed: nchanInstalled, start: nchanPeer },
  { name: "better-sse", installed: true, start: betterSsePeer },
];

if (!nchanInstalled) warnMissing("nginx with nchan", "nginx libnginx-mod-nchan");

let peer: Peer;
let server: GatewayServer;
let store: string;

/** Starts the peer, and the gateway in front of it with a log of its own. */
async function startBoth(start: () => Promise<Peer>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-peers-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  store = `sqlite:${directory}/log.db`;
  peer = await start();
  onTestFinished(() => peer.close());
  await startGateway();
  await upstreamOpen();
}

/** Starts the gateway in front of the peer; with a port, in the place of the one that was there. */
async function startGateway(port = 0): Promise<void> {
  const upstream = { url: peer.url, backoff: { min: "20ms", max: "200ms" } };
  server = await serveGateway({ store, streams: { s: { upstream } } }, { port });
  onTestFinished(server.close);
}

async function subscribe(query = ""): Promise<Recorder> {
  const url = `${server.url}/streams/s${query}`;
  const recorder = recordEvents(url, ["connected", "trade", "spillway.gap", "spillway.reset"]);
  onTestFinished(recorder.close);
  await untilReceived(recorder, "connected", 1);
  return recorder;
}

/** The numbers and gaps that a client got, in order of arrival. */
async function seenBy(recorder: Recorder): Promise<string[]> {
  const received = await recorder.received();
  return received.filter(({ event }) => event !== "connected").map(({ data }) => data);
}

const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => String(first + i));

describe.each(peers)("$name as upstream", ({ installed, start }) => {
  test.runIf(installed)("every client gets every event once and in order", async () => {
    await startBoth(start);
    const clients = await Promise.all([subscribe(), subscribe(), subscribe()]);
    await peer.publish(1, 200);
    for (const client of clients) {
      await untilReceived(client, "trade", 200);
      expect(await seenBy(client)).toEqual(numbers(1, 200));
    }
  });

  test.runIf(installed)(
    "events that it published while the gateway was down are neither lost nor duplicated",
    async () => {
      await startBoth(start);
      const client = await subscribe();
      await peer.publish(1, 50);
      await untilReceived(client, "trade", 50);
      await server.close();
      await peer.publish(51, 100);
      await startGateway(server.port);
      await peer.publish(101, 150);
      await untilReceived(client, "trade", 150);
      expect(await seenBy(client)).toEqual(numbers(1, 150));
      const late = await subscribe("?after=earliest");
      await untilReceived(late, "trade", 150);
      expect(await seenBy(late)).toEqual(numbers(1, 150));
    },
  );

  test.runIf(installed)("the gateway reconnects automatically after a break", async () => {
    await startBoth(start);
    const client = await subscribe();
    await peer.publish(1, 20);
    await untilReceived(client, "trade", 20);
    await peer.interrupt();
    await peer.publish(21, 40);
    await untilReceived(client, "trade", 40);
    expect(await seenBy(client)).toEqual(numbers(1, 40));
  });
});

/** Waits until the gateway has its connection, so that it gets the events published from now on. */
async function upstreamOpen(): Promise<void> {
  await eventually(async () => (await upstreamConnection()) === "OPEN");
}

async function upstreamConnection(): Promise<string> {
  const response = await fetch(`${server.url}/api/status`);
  return ((await response.json()) as { upstreamConnection: string }).upstreamConnection;
}

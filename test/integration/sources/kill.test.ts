import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { connectAsync } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import type { UpstreamConfig } from "spillway";
import { isPresent } from "../../support/engines.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { testPatience } from "../../support/patience.ts";
import { freePort, portOf, throughPort } from "../../support/ports.ts";
import { startCli, type Program } from "../../support/process.ts";
import { amqpUrl, openQueue } from "../../support/rabbitmq.ts";
import { eventually } from "../../support/reader.ts";
import { startRedis } from "../../support/redis.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

/** How often the gateway is killed and every source cut: `KILL_ROUNDS=25 npx vitest run test/integration/sources/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 1);

/** A source that sends `{"n":1}`, `{"n":2}`, … */
interface NumberedSource {
  readonly upstream: UpstreamConfig;
  /** Resolves once the source has accepted it. */
  publish(n: number): Promise<void>;
  /** Breaks its connections, or restarts it. */
  cut(round: number): Promise<void> | void;
}

const line = (n: number): string => JSON.stringify({ n });

/** One server of lines, pages and WebSocket messages, which resumes after `?since=`. */
async function startWeb(): Promise<Readonly<Record<"ndjson" | "poll" | "websocket", NumberedSource>>> {
  let last = 0;
  const streams = new Map<ServerResponse | { write(text: string): unknown }, number>();
  const pump = (): void => {
    for (const [stream, sent] of streams) {
      for (let n = sent + 1; n <= last; n++) stream.write(`${line(n)}\n`);
      streams.set(stream, last);
    }
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const since = Number(url.searchParams.get("since") ?? 0);
    response.on("error", () => {});
    if (url.pathname === "/poll") {
      const next = Math.min(last, since + 20);
      const items = Array.from({ length: Math.max(0, next - since) }, (_, index) => ({ n: since + 1 + index }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ items, next }));
      return;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson" }).flushHeaders();
    // It also repeats some events, as sources do.
    streams.set(response, Math.max(0, since - 3));
    response.on("close", () => streams.delete(response));
    pump();
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    const since = Number(new URL(request.url ?? "/", "http://localhost").searchParams.get("since") ?? 0);
    const stream = { write: (text: string): void => socket.send(text) };
    streams.set(stream, Math.max(0, since - 3));
    socket.on("close", () => streams.delete(stream)).on("error", () => {});
    pump();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  const publish = async (n: number): Promise<void> => {
    last = Math.max(last, n);
    pump();
  };
  const cut = (): void => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
  };
  const base = `127.0.0.1:${portOf(server)}`;
  const resume = { query: "since" };
  const poll = { every: "10ms", items: "/items", cursor: { from: "/next", query: "since" } };
  return {
    ndjson: { upstream: { url: `http://${base}/lines`, format: "ndjson", id: "/n", resume }, publish, cut },
    poll: { upstream: { url: `http://${base}/poll`, poll, id: "/n" }, publish, cut },
    websocket: { upstream: { url: `ws://${base}/`, id: "/n", resume }, publish, cut },
  };
}

async function startPubSub(): Promise<NumberedSource> {
  const server = await startRedis();
  let publisher = createClient({ url: server.url });
  const open = async (): Promise<void> => {
    publisher = createClient({ url: server.url, socket: { reconnectStrategy: false } });
    publisher.on("error", () => {});
    await publisher.connect();
  };
  await open();
  onTestFinished(async () => {
    publisher.destroy();
    await server.remove();
  });
  return {
    upstream: { url: server.url, redis: { psubscribe: ["n:*"] } },
    publish: async (n) => void (await publisher.publish("n:a", line(n))),
    async cut(round) {
      if (round % 2 === 0) return void (await publisher.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]));
      publisher.destroy();
      await server.kill();
      await server.start();
      await open();
    },
  };
}

async function startMqtt(): Promise<NumberedSource> {
  const server = await startMosquitto();
  const open = () => connectAsync(server.url, { protocolVersion: 5, reconnectPeriod: 20 });
  const publisher = await open();
  publisher.on("error", () => {});
  onTestFinished(async () => {
    publisher.end(true);
    await server.remove();
  });
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  return {
    upstream: { url: throughPort(server.url, proxy.port), mqtt: { topics: ["numbers"] }, id: "/n" },
    publish: async (n) => void (await publisher.publishAsync("numbers", line(n), { qos: 1 })),
    async cut(round) {
      proxy.reset();
      if (round % 2 === 0) return;
      await server.stop();
      await server.start();
      await eventually(() => publisher.connected);
    },
  };
}

async function startAmqp(): Promise<NumberedSource> {
  const queue = await openQueue();
  const proxy = await startTcpProxy(Number(new URL(amqpUrl).port || 5672));
  onTestFinished(() => proxy.close());
  return {
    upstream: { url: throughPort(amqpUrl, proxy.port), amqp: { queue: queue.name } },
    publish: (n) => queue.publish(line(n), String(n)),
    cut: () => proxy.reset(),
  };
}

/** What a stream's log holds, in order. */
interface Logged {
  readonly numbers: readonly number[];
  /** Numbers that are missing without a gap in their place. */
  readonly unannounced: readonly number[];
  readonly gaps: number;
}

function logged(events: readonly { readonly event: string; readonly data: string }[]): Logged {
  const numbers: number[] = [];
  const unannounced: number[] = [];
  let gaps = 0;
  let announced = false;
  for (const { event, data } of events) {
    if (event === "spillway.gap") {
      gaps++;
      announced = true;
      continue;
    }
    const { n } = JSON.parse(data) as { n: number };
    if (!announced && n > (numbers.at(-1) ?? 0) + 1) unannounced.push(n);
    numbers.push(n);
    announced = false;
  }
  return { numbers, unannounced, gaps };
}

describe.runIf(isPresent({ name: "mqtt" }) && isPresent({ name: "amqp" }) && isPresent({ name: "redis" }))(
  "kills",
  () => {
    let folder: string;
    let gateway: Program;
    let port: number;

    const start = async (): Promise<void> => {
      gateway = startCli("serve", "--config", join(folder, "spillway.json"));
      await gateway.printed('"listening"');
    };

    async function read(stream: string): Promise<{ event: string; data: string }[]> {
      const all: { event: string; data: string }[] = [];
      for (let after = "earliest"; ;) {
        const response = await fetch(`http://127.0.0.1:${port}/streams/${stream}?after=${after}&wait=0`, {
          headers: { accept: "application/json" },
        });
        const page = (await response.json()) as {
          events: { event: string; data: string }[];
          next: string;
          gap?: unknown;
        };
        if (page.gap) all.push({ event: "spillway.gap", data: "{}" });
        all.push(...page.events);
        if (page.events.length === 0 && !page.gap) return all;
        after = page.next;
      }
    }

    test(
      `${rounds} times: the gateway with -9, and every source`,
      { timeout: testPatience + rounds * 60_000 },
      async () => {
        folder = await mkdtemp(join(tmpdir(), "spillway-sources-"));
        onTestFinished(() => rm(folder, { recursive: true, force: true }));
        port = await freePort();
        const sources: Record<string, NumberedSource> = {
          ...(await startWeb()),
          redis: await startPubSub(),
          mqtt: await startMqtt(),
          amqp: await startAmqp(),
        };
        const backoff = { min: 10, max: 100 };
        const streams = Object.fromEntries(
          Object.entries(sources).map(([name, { upstream }]) => [
            name,
            { upstream: { backoff, coolDown: 0, ...upstream } },
          ]),
        );
        const config = {
          listen: port,
          store: `sqlite:${folder}/log.db`,
          access: { anonymous: ["subscribe", "admin"] },
          streams,
        };
        await writeFile(join(folder, "spillway.json"), JSON.stringify(config));
        await start();
        onTestFinished(async () => void (await gateway.kill("SIGKILL")));
        const isOpen = async (): Promise<boolean> => {
          const status = (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as {
            streams: Record<string, { upstream: { state: string } }>;
          };
          return Object.values(status.streams).every(({ upstream }) => upstream.state === "open");
        };
        await eventually(isOpen, "every source to be open");

        let last = 0;
        const publish = async (count: number): Promise<void> => {
          for (let n = 0; n < count; n++) {
            last++;
            // What a source does not accept while it restarts, it never promised.
            await Promise.all(Object.values(sources).map((source) => source.publish(last)));
          }
        };
        await publish(20);
        // A loss before the first event that is stored is not told: nothing says that there was a subscription.
        await eventually(async () => (await read("redis")).length > 0, "an event of Redis");
        for (let round = 0; round < rounds; round++) {
          const publishing = publish(40);
          await new Promise((resolve) => setImmediate(resolve));
          expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
          await publishing;
          await start();
          await publish(20);
          for (const source of Object.values(sources)) await source.cut(round);
          await publish(20);
          await eventually(isOpen, "every source to be open again");
        }
        await publish(20);
        const everything = Array.from({ length: last }, (_, index) => index + 1);
        const results: Record<string, Logged> = {};
        for (const name of Object.keys(sources)) {
          await eventually(
            async () => (results[name] = logged(await read(name))).numbers.includes(last),
            `${name} at ${last}`,
            100,
          );
        }
        const { redis, ...others } = results;
        console.info(
          Object.entries(results)
            .map(
              ([name, { numbers, gaps, unannounced }]) =>
                `${name}: ${new Set(numbers).size} of ${last}, ${numbers.length - new Set(numbers).size} repeated, ${gaps} gaps, ${unannounced.length} losses unannounced`,
            )
            .join("\n"),
        );
        // Exactly once, where the source resumes or sends again what was not acknowledged.
        for (const [name, { numbers, gaps }] of Object.entries(others))
          expect({ name, numbers, gaps }).toEqual({ name, numbers: everything, gaps: 0 });
        // At most once, and every loss is announced.
        expect(redis!.unannounced).toEqual([]);
        expect(redis!.gaps).toBeGreaterThanOrEqual(rounds);
        expect(redis!.numbers).toEqual([...new Set(redis!.numbers)]);
      },
    );
  },
);

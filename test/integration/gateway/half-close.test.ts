import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type GatewayConfig } from "spillway";
import { openRaw, type RawClient } from "../../support/raw-client.ts";
import { eventually } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { startWorkers } from "../../support/workers.ts";

/** A gateway whose stream `s` holds events already. */
interface Filled {
  readonly port: number;
  readonly ca?: string;
  /** Open subscriptions. */
  subscribers(): number | Promise<number>;
  close(): Promise<void>;
}

const certificate = selfSigned();
const config: GatewayConfig = { access: { anonymous: ["subscribe", "publish", "admin"] }, streams: { s: {} } };
const numbers = Array.from({ length: 3000 }, (_, i) => String(i + 1));
const events = numbers.map((data) => ({ data, channel: "a" }));

async function openOwn(extra: GatewayConfig): Promise<Filled> {
  const gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", ...config, ...extra });
  await gateway.publish("s", events);
  const { port } = await gateway.listen();
  const subscribers = (): number => gateway.status().streams["s"]!.subscribers;
  return { port, subscribers, close: () => gateway.close() };
}

async function openWorkers(): Promise<Filled> {
  const server = await startWorkers(2, config);
  await (await server.publish("s", events)).json();
  const subscribers = async (): Promise<number> => (await server.status()).streams["s"]!.subscribers;
  return { port: server.port, subscribers, close: () => server.close() };
}

const kinds: ReadonlyArray<{ readonly name: string; open(): Promise<Filled> }> = [
  { name: "its own server", open: () => openOwn({}) },
  { name: "TLS", open: async () => ({ ...(await openOwn({ tls: certificate })), ca: certificate.cert }) },
  { name: "workers", open: openWorkers },
];

let filled: Filled;

function send(head: string): RawClient {
  const client = openRaw(filled.port, filled);
  client.socket.end(`${head}\r\n\r\n`);
  return client;
}

/** The body of an answer in chunks that ends as it should. */
function bodyOf(answer: string): string {
  let [, rest] = split(answer, "\r\n\r\n");
  let body = "";
  for (;;) {
    const [size, chunks] = split(rest, "\r\n");
    const length = Number.parseInt(size, 16);
    expect(length).toBeGreaterThanOrEqual(0);
    if (length === 0) {
      expect(chunks).toBe("\r\n");
      return body;
    }
    body += chunks.slice(0, length);
    rest = chunks.slice(length + 2);
  }
}

function split(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  expect(at).toBeGreaterThanOrEqual(0);
  return [text.slice(0, at), text.slice(at + by.length)];
}

const dataOf = (body: string): string[] => Array.from(body.matchAll(/^data: (\d+)$/gm), ([, data]) => data!);
const get = (target: string, ...headers: string[]): string =>
  [`GET ${target} HTTP/1.1`, "Host: localhost", ...headers].join("\r\n");

describe.each(kinds)("over $name, a client that ends its side after its request", ({ open }) => {
  beforeAll(async () => {
    filled = await open();
  });
  afterAll(() => filled.close());

  /** `Connection: close` is for Node's parser, the rest for the gateway's own. */
  test.each([
    ["a plain request", []],
    ["a request that Node's parser reads", ["Connection: close"]],
  ])("gets all pending events, and then the end: %s", async (_, headers) => {
    const answers = await Promise.all(
      ["/streams/s?after=earliest", "/streams/s?last=1000", "/streams/s?after=earliest&channels=a", "/streams/s"].map(
        (target) => send(get(target, "Accept: text/event-stream", ...headers)).all(),
      ),
    );
    expect(answers.map((answer) => dataOf(bodyOf(answer)))).toEqual([numbers, numbers.slice(-1000), numbers, []]);
    expect(answers.join("")).not.toContain("spillway.bye");
    await eventually(async () => (await filled.subscribers()) === 0);
  });

  test("gets complete responses: NDJSON, a page of a long poll, and a refusal", async () => {
    const [lines, page, refused] = await Promise.all([
      send(get("/streams/s?after=earliest", "Accept: application/x-ndjson")).all(),
      send(get("/streams/s?after=earliest&limit=2&wait=30", "Accept: application/json")).all(),
      send(get("/streams/none", "Accept: text/event-stream")).all(),
    ]);
    const read = bodyOf(lines)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; data: string });
    expect(read.filter(({ event }) => event === "message").map(({ data }) => data)).toEqual(numbers);
    expect(JSON.parse(split(page, "\r\n\r\n")[1])).toMatchObject({ events: [{ data: "1" }, { data: "2" }] });
    expect(JSON.parse(split(refused, "\r\n\r\n")[1])).toMatchObject({ code: "stream-unknown" });
  });

  test("is not held by a long poll without events", async () => {
    const answer = await send(get("/streams/s?wait=30", "Accept: application/json")).all();
    expect(JSON.parse(split(answer, "\r\n\r\n")[1])).toMatchObject({ events: [] });
  });

  test("and reads slowly also gets all events", async () => {
    const client = openRaw(filled.port, filled);
    client.socket.pause();
    client.socket.end(`${get("/streams/s?after=earliest", "Accept: text/event-stream")}\r\n\r\n`);
    await once(client.socket, "finish");
    client.socket.resume();
    expect(dataOf(bodyOf(await client.all()))).toEqual(numbers);
  });

  test("while it is live is disconnected, with a proper end", async () => {
    const clients = [[], ["Connection: close"]].map((headers) => {
      const client = openRaw(filled.port, filled);
      client.socket.write(`${get("/streams/s?last=1", "Accept: text/event-stream", ...headers)}\r\n\r\n`);
      return client;
    });
    await eventually(() => clients.every(({ text }) => text().includes("data: 3000\n")));
    for (const { socket } of clients) socket.end();
    for (const { all } of clients) expect(dataOf(bodyOf(await all()))).toEqual(["3000"]);
    await eventually(async () => (await filled.subscribers()) === 0);
  });

  test("and has disconnected costs nothing more", async () => {
    const clients = Array.from({ length: 20 }, () => {
      const client = openRaw(filled.port, filled);
      client.socket.write(`${get("/streams/s?after=earliest", "Accept: text/event-stream")}\r\n\r\n`);
      return client;
    });
    await eventually(() => clients.every(({ text }) => text().includes("connected")));
    for (const [i, { socket, reset }] of clients.entries()) {
      if (i % 2) socket.destroy();
      else reset();
    }
    await eventually(async () => (await filled.subscribers()) === 0);
  });
});

test.each(["TCP", "TLS"])("over %s, a client that leaves while it waits for its replay is noticed", async (kind) => {
  // No heartbeat finds it out.
  const streams = { s: { heartbeat: "1h" } };
  const gateway = await createGateway({
    ...config,
    ...(kind === "TLS" && { tls: certificate }),
    listen: "127.0.0.1:0",
    store: "memory:",
    limits: { replays: 1, replayWait: "1h" },
    streams,
  });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  const large = "x".repeat(100_000);
  await gateway.publish(
    "s",
    Array.from({ length: 200 }, () => ({ data: large })),
  );
  const open = (): RawClient => openRaw(port, { ca: kind === "TLS" ? certificate.cert : undefined });
  const request = `${get("/streams/s?after=earliest", "Accept: text/event-stream")}\r\n\r\n`;
  const slow = open();
  slow.socket.write(request);
  await once(slow.socket, "data");
  slow.socket.pause();
  const left = open();
  left.socket.end(request);
  await once(left.socket, "close");
  expect(gateway.status().streams["s"]!.subscribers).toBe(1);
  // Its place in the queue is free: the next one gets its turn.
  const next = open();
  next.socket.write(request);
  slow.socket.destroy();
  await eventually(() => next.text().includes("event: connected"));
  next.socket.destroy();
  await eventually(() => gateway.status().streams["s"]!.subscribers === 0);
});

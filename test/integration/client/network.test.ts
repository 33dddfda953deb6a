import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { collect } from "../../support/client.ts";
import { bearer, jwtSecret, makeToken } from "../../support/credentials.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";
import { startScriptedServer, streaming } from "../../support/scripted-server.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

let server: GatewayServer;

beforeAll(async () => {
  server = await serveGateway({
    store: "memory:",
    access: { anonymous: ["subscribe", "publish"] },
    streams: {
      beats: { heartbeat: "100ms" },
      steady: { heartbeat: "1s" },
      polled: {},
      short: { retention: { events: 3 } },
    },
  });
});
afterAll(() => server.close());

/** A proxy that forwards a response when it is complete, as some do with streams. */
async function startBufferingProxy(): Promise<string> {
  const proxy = createServer((request, response) => {
    const options = { port: server.port, path: request.url, headers: request.headers };
    const upstream = forward(options, (answer) => {
      buffer(answer).then(
        (body) => response.writeHead(answer.statusCode!, answer.headers).end(body),
        () => response.destroy(),
      );
    });
    upstream.on("error", () => response.destroy()).end();
    response.on("close", () => upstream.destroy());
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(async () => {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return `http://127.0.0.1:${portOf(proxy)}`;
}

test("a connection that is silent for two heartbeats of a Spillway is replaced, and nothing is lost", async () => {
  const proxy = await startTcpProxy(server.port);
  onTestFinished(proxy.close);
  const client = collect(`http://127.0.0.1:${proxy.port}/streams/beats`);
  await eventually(() => client.subscription.caughtUp);
  proxy.stall(true);
  await server.gateway.publish("beats", { data: 1 });
  await eventually(() => client.codes().includes("connection-silent"));
  proxy.stall(false);
  await eventually(() => client.events.length > 0);
  await server.gateway.publish("beats", { data: 2 });
  await eventually(() => client.events.length > 1);
  expect(client.data()).toEqual([1, 2]);
});

test("a connection that carries heartbeats is kept", async () => {
  const client = collect(`${server.url}/streams/steady`);
  await eventually(() => client.subscription.caughtUp);
  const { subscribers } = server.gateway.status().streams["steady"]!;
  const opened = Date.now();
  await eventually(() => Date.now() - opened > 2500, "more than two heartbeats");
  expect(client.codes()).toEqual([]);
  expect(subscribers).toBe(1);
});

test("with other servers, the option says which silence is too long", async () => {
  const silent = await startScriptedServer(streaming("data: 1\n\n"), streaming("data: 2\n\n"));
  onTestFinished(silent.close);
  const client = collect(silent.url, { heartbeat: 50 });
  await eventually(() => client.events.length === 2);
  expect(client.codes()).toContain("connection-silent");
});

test("where a hop buffers streams, events arrive by long poll, gaps included", async () => {
  const url = `${await startBufferingProxy()}/streams/polled`;
  await server.gateway.publish("polled", [{ data: 1 }, { event: "trade", data: { price: 2 } }]);
  const client = collect(url, { connectTimeout: 150, start: { after: "earliest" } });
  await eventually(() => client.events.length === 2);
  await eventually(() => client.subscription.caughtUp);
  const [id] = await server.gateway.publish("polled", { data: 3 });
  await eventually(() => client.events.length === 3);
  expect(client.events.map(({ type, data }) => [type, data])).toEqual([
    ["message", 1],
    ["trade", { price: 2 }],
    ["message", 3],
  ]);
  expect(client.codes().slice(0, 3)).toEqual(Array(3).fill("connect-timeout"));
  await eventually(() => client.subscription.cursor === id);
});

test("a gap is announced in a long poll too", async () => {
  const url = `${await startBufferingProxy()}/streams/short`;
  const [first] = await server.gateway.publish(
    "short",
    [1, 2, 3, 4, 5, 6].map((data) => ({ data })),
  );
  const client = collect(url, { connectTimeout: 150, cursor: { load: () => first, save() {} } });
  await eventually(() => client.events.length === 4);
  expect(client.events.map(({ type }) => type)).toEqual(["spillway.gap", "message", "message", "message"]);
  expect(client.events[0]!.data).toEqual({ reason: "trimmed", lost: 2 });
});

test("a server that is slow and has no long poll is asked for a stream again", async () => {
  let asked = 0;
  const slow = await startScriptedServer((response, { headers }) => {
    if (headers.accept === "application/json") return void response.writeHead(406).end();
    if (++asked > 3) streaming("data: 1\n\n")(response, slow.requests.at(-1)!);
  });
  onTestFinished(slow.close);
  const client = collect(slow.url, { connectTimeout: 100 });
  await eventually(() => client.events.length === 1);
  expect(client.codes()).toEqual([...Array<string>(3).fill("connect-timeout"), "status-unexpected"]);
});

test("connected says how long the connection may be silent, what the upstream does, and when the credential expires", async () => {
  const upstream = await startScriptedServer(streaming(""));
  onTestFinished(upstream.close);
  const secured = await serveGateway({
    store: "memory:",
    access: { jwt: { secret: jwtSecret } },
    streams: { fed: { upstream: { url: upstream.url }, heartbeat: "7s" }, plain: {} },
  });
  onTestFinished(secured.close);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = makeToken({ sub: "ada", exp, spillway: {} });
  const connected = async (stream: string): Promise<object> => {
    const reading = read(await fetch(`${secured.url}/streams/${stream}`, { headers: bearer(token) }));
    onTestFinished(() => reading.cancel());
    await reading.until(({ events }) => events.length > 0);
    return reading.controls("connected")[0]!;
  };
  await eventually(() => upstream.requests.length === 1);
  await eventually(() => secured.gateway.status().streams["fed"]!.upstream?.state === "open");
  const expiresAt = new Date(exp * 1000).toISOString();
  expect(await connected("fed")).toMatchObject({ heartbeat: 7000, upstream: "open", expiresAt });
  expect(await connected("plain")).toMatchObject({ heartbeat: 15_000, expiresAt });
  expect(await connected("plain")).not.toHaveProperty("upstream");
  const client = collect(`${secured.url}/streams/fed`, { token });
  await eventually(() => client.subscription.caughtUp);
  expect(client.subscription.state).toMatchObject({ upstream: "open", client: expect.any(String) });
});

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { createGateway, type GatewayConfig } from "spillway";
import { portOf } from "../../support/ports.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startReloadable, type Reloadable } from "../../support/reloadable.ts";
import { untilEnded } from "../../support/workers.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { openRaw } from "../../support/raw-client.ts";
import { startStreamOrigin } from "./origin.ts";

const routesTo = (url: string): GatewayConfig["routes"] => ({ "/feed": { upstream: { url }, access: "none" } });

async function start(workers: number, config: GatewayConfig): Promise<Reloadable> {
  const gateway = await startReloadable(workers, config);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Opens that many streams, and waits for the first event of each. */
async function openStreams(gateway: Reloadable, count: number): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (let n = 0; n < count; n++) readings.push(read(await gateway.request("/feed")));
  onTestFinished(async () => void (await Promise.allSettled(readings.map((reading) => reading.cancel()))));
  await Promise.all(readings.map((reading) => reading.until(({ events }) => events.length > 0)));
  return readings;
}

const received = (reading: Reading, data: string): Promise<Reading> =>
  reading.until(() => reading.data().includes(data));

test.each([1, 2])("a reload with other targets cuts none of 500 streams, with %i workers", async (workers) => {
  const [before, after] = [await startStreamOrigin(), await startStreamOrigin()];
  const gateway = await start(workers, { routes: routesTo(before.url) });
  const readings = await openStreams(gateway, 500);
  await gateway.write({ routes: routesTo(after.url) });
  expect((await gateway.post()).status).toBe(200);
  const [added] = await openStreams(gateway, 1);
  before.send("still here");
  after.send("new here");
  await Promise.all([received(added!, "new here"), ...readings.map((reading) => received(reading, "still here"))]);
  expect(before.open.size).toBe(500);
});

test("when a worker is killed, the streams of the others go on", async () => {
  const origin = await startStreamOrigin();
  const gateway = await start(2, { routes: routesTo(origin.url) });
  const readings = await openStreams(gateway, 40);
  const { workers } = (await (await gateway.request("/status")).json()) as { workers: { pid: number }[] };
  process.kill(workers[0]!.pid, "SIGKILL");
  await untilEnded([workers[0]!.pid]);
  await eventually(() => origin.open.size < 40, "the end of the streams of the worker");
  origin.send("still here");
  const outcomes = await Promise.allSettled(readings.map((reading) => received(reading, "still here")));
  const alive = outcomes.filter(({ status }) => status === "fulfilled").length;
  expect(alive).toBeGreaterThan(0);
  await eventually(() => origin.open.size === alive, "the end of all streams of the worker");
});

test("1,000 clients that leave end 1,000 requests to the target", async () => {
  const origin = await startStreamOrigin();
  const gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", routes: routesTo(origin.url) });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  const clients = Array.from({ length: 1000 }, () => {
    const client = openRaw(port);
    client.socket.write("GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client;
  });
  await eventually(() => clients.every((client) => client.text().includes("data: hello")));
  for (const { socket } of clients) socket.destroy();
  await eventually(() => origin.open.size === 0);
  expect(gateway.status().routes["/feed"]).toMatchObject({ active: 0, failed: 0 });
});

test("HTTP/2 is spoken to a target that offers it, over one connection", async () => {
  const certificate = selfSigned();
  const versions: string[] = [];
  const sessions = new Set<unknown>();
  const server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion);
    let body = "";
    request.on("data", (chunk: Buffer) => (body += String(chunk)));
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: ${request.method} ${body}\n\n`);
    });
  }).listen(0, "127.0.0.1");
  server.on("session", (session) => sessions.add(session));
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const upstream = { url: `https://127.0.0.1:${portOf(server)}`, tls: { ca: certificate.cert } };
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    routes: {
      "/two": { upstream: { ...upstream, http2: true }, access: "none" },
      "/one": { upstream, access: "none" },
    },
  });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  const ask = async (path: string, body?: string): Promise<string> => {
    const method = body === undefined ? "GET" : "POST";
    return (await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body ?? null })).text();
  };
  expect(await ask("/two")).toBe("data: GET \n\n");
  expect(await ask("/two")).toBe("data: GET \n\n");
  expect(sessions.size).toBe(1);
  expect(await ask("/two", "a")).toBe("data: POST a\n\n");
  expect(versions).toEqual(["2.0", "2.0", "2.0"]);
  expect(await ask("/one", "c")).toBe("data: POST c\n\n");
  expect(versions.at(-1)).toBe("1.1");
});

test("a response over HTTP/2 that the target resets is cut", async () => {
  const certificate = selfSigned();
  const server = createSecureServer(certificate, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\n", () => response.stream.close(2));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const upstream = { url: `https://127.0.0.1:${portOf(server)}`, tls: { ca: certificate.cert }, http2: true };
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    routes: { "/feed": { upstream, access: "none" } },
  });
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  const response = await fetch(`http://127.0.0.1:${port}/feed`);
  await expect(response.text()).rejects.toThrow();
});

test("trailers of a target pass from HTTP/2 to HTTP/2, and from HTTP/1.1, those of framing do not", async () => {
  const certificate = selfSigned();
  const answer = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += String(chunk)));
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/plain", "trailer": "x-sum" });
      (response as ServerResponse).write(`body ${body} ${String(request.headers["x-sum"])}`);
      response.addTrailers({ "x-sum": "9", "set-cookie": "a=1" });
      response.end();
    });
  };
  const [two, one] = [createSecureServer(certificate, answer), createServer(answer)].map((server) =>
    server.listen(0, "127.0.0.1"),
  );
  await Promise.all([once(two!, "listening"), once(one!, "listening")]);
  onTestFinished(() => [one, two].forEach((server) => void server!.close()));
  const tls = { ca: certificate.cert };
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    tls: certificate,
    routes: {
      "/two": { upstream: { url: `https://127.0.0.1:${portOf(two!)}`, tls, http2: true }, access: "none" },
      "/one": { upstream: { url: `http://127.0.0.1:${portOf(one!)}` }, access: "none" },
    },
  });
  onTestFinished(() => gateway.close());
  const session = connect(`https://127.0.0.1:${(await gateway.listen()).port}`, tls);
  onTestFinished(() => session.destroy());
  for (const path of ["/two", "/one"]) {
    const stream = session.request({ ":method": "POST", ":path": path }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "8" }));
    stream.end("sent");
    const trailers = once(stream, "trailers");
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    // The trailers of a request are no headers of it, and are not passed on.
    expect(text).toBe("body sent undefined");
    const [fields] = (await trailers) as [object];
    expect(fields).toMatchObject({ "x-sum": "9" });
    expect(fields).not.toHaveProperty("set-cookie");
  }
});

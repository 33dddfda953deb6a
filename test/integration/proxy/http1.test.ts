import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  answering,
  chunk,
  startRawOrigin,
  whole,
  type RawOrigin,
  type RawOriginOptions,
} from "../../support/raw-origin.ts";
import { openRaw, type RawClient } from "../../support/raw-client.ts";
import { eventually } from "../../support/reader.ts";
import { openRoutes, routeTo, type RouteChanges } from "../../support/routes.ts";

const chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

async function open(
  options: RawOriginOptions,
  changes?: RouteChanges,
): Promise<{ origin: RawOrigin; connect(...packets: string[]): RawClient }> {
  const origin = await startRawOrigin(options);
  const gateway = await openRoutes({ "/api/**": routeTo([origin.url], changes) }, { drain: 0 });
  const { port } = await gateway.listen();
  const clients: RawClient[] = [];
  onTestFinished(async () => {
    for (const { socket } of clients) socket.destroy();
    await gateway.close();
    await origin.close();
  });
  return {
    origin,
    connect(...packets) {
      const client = openRaw(port);
      clients.push(client);
      for (const packet of packets) client.socket.write(packet, "latin1");
      return client;
    },
  };
}

function request(first: string, fields: readonly string[] = [], body = ""): string {
  return [first, "Host: x", ...fields, "", body].join("\r\n");
}

const get = request("GET /api/x HTTP/1.1");

test("a client of HTTP/1.0 gets no chunks, and the end of its connection", async () => {
  const { origin, connect } = await open(answering(`${chunkedHead}${chunk("one")}${chunk("two")}0\r\n\r\n`));
  const text = await connect(request("GET /api/x HTTP/1.0")).all();
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text).not.toMatch(/transfer-encoding|\r\n0\r\n/i);
  expect(text.endsWith("\r\n\r\nonetwo")).toBe(true);
  expect(origin.errors()).toEqual([]);
});

test("a client of HTTP/1.0 gets no informational answer", async () => {
  const { connect } = await open(answering(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${whole("done")}`));
  const text = await connect(request("GET /api/x HTTP/1.0")).all();
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});

test("a length stays a length, and chunks stay chunks, behind which the connection ends", async () => {
  const { origin, connect } = await open(answering(whole("done")));
  const sized = request("POST /api/x HTTP/1.1", ["Content-Length: 4"], "body");
  const chunked = request("POST /api/x HTTP/1.1", ["Transfer-Encoding: chunked"], "4\r\nbody\r\n0\r\n\r\n");
  const client = connect();
  for (const [n, bytes] of [sized, chunked, request("POST /api/x HTTP/1.1", ["Content-Length: 0"]), get].entries()) {
    client.socket.write(bytes);
    await eventually(() => client.text().split("done").length === n + 2, `answer ${n + 1}`);
  }
  expect(origin.errors()).toEqual([]);
  expect(
    origin.requests().map(({ body, header }) => [header("content-length"), header("transfer-encoding"), body]),
  ).toEqual([
    ["4", undefined, "body"],
    [undefined, "chunked", "body"],
    ["0", undefined, ""],
    [undefined, undefined, ""],
  ]);
  const after = origin.connections.find(({ text }) => text().includes("chunked"))!;
  expect(after.text().split(" HTTP/1.1\r\n").at(-1)).toMatch(/^connection: close\r$/m);
  await eventually(() => !after.isOpen(), "the end of the connection");
});

test("requests behind one another are answered in order", async () => {
  const { origin, connect } = await open({
    onRequest({ target }, { socket }) {
      // The later ones answer first.
      const wait = 5 - Number(target.at(-1));
      setTimeout(() => socket.write(whole(`answer to ${target}!`)), wait * 10);
    },
  });
  const all = [1, 2, 3, 4].map((n) => request(`GET /api/${n} HTTP/1.1`)).join("");
  const client = connect(all);
  await eventually(() => client.text().includes("/api/4!"), "the last answer");
  expect(client.text().match(/answer to \S+!/g)).toEqual([1, 2, 3, 4].map((n) => `answer to /api/${n}!`));
  expect(origin.requests()).toHaveLength(4);
});

test("a request that is refused takes no place of its target", async () => {
  const { origin, connect } = await open(answering(whole("done")), {
    upstream: { connections: 1, queue: { length: 0, for: 0 } },
  });
  for (const path of ["/api/../x", "/api/%2e"])
    expect(await connect(request(`GET ${path} HTTP/1.1`, ["Connection: close"])).all()).toMatch(/^HTTP\/1\.1 400 /);
  const client = connect(get);
  await eventually(() => client.text() !== "", "the answer");
  expect(client.text()).toMatch(/^HTTP\/1\.1 200 /);
  expect(origin.requests()).toHaveLength(1);
});

test("trailers of the answer are passed on, those of framing are not", async () => {
  const trailers = "X-Sum: 9\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\n";
  const { connect } = await open(
    answering(`${chunkedHead.replace("\r\n\r\n", "\r\nTrailer: X-Sum\r\n\r\n")}${chunk("body")}0\r\n${trailers}\r\n`),
  );
  const client = connect(get);
  await eventually(() => /\r\n0\r\n[^]*\r\n\r\n$/.test(client.text()), "the end of the body");
  expect(/\r\n0\r\n([^]*)$/.exec(client.text())![1]).toMatch(/^x-sum: 9\r\n\r\n$/i);
});

test("trailers of a request are no headers of it", async () => {
  const { origin, connect } = await open(answering(whole("done")));
  const fields = ["Transfer-Encoding: chunked", "Trailer: X-Sum"];
  const client = connect(request("POST /api/x HTTP/1.1", fields, "4\r\nbody\r\n0\r\nX-Sum: 9\r\nHost: evil\r\n\r\n"));
  await eventually(() => client.text().includes("done"), "the answer");
  expect(origin.errors()).toEqual([]);
  expect(origin.requests()[0]!.header("x-sum")).toBeUndefined();
  expect(origin.requests()[0]!.header("host")).toBe(origin.url.slice(7));
});

test("early hints are passed on before the answer is there", async () => {
  const { origin, connect } = await open({
    onRequest: (_, { socket }) => void socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"),
  });
  const client = connect(get);
  await eventually(() => client.text().includes("\r\n\r\n"), "the hints");
  expect(client.text()).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\n\r\n$/i);
  origin.connections[0]!.socket.write(whole("done"));
  await eventually(() => client.text().endsWith("done"), "the answer");
});

test("an expectation is met by the gateway, and the target does not see it", async () => {
  const { origin, connect } = await open(answering(whole("done")));
  const fields = ["Content-Length: 4", "Expect: 100-continue"];
  const client = connect(request("POST /api/x HTTP/1.1", fields));
  await eventually(() => client.text() !== "", "the answer to the head");
  expect(client.text()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  client.socket.write("body");
  await eventually(() => client.text().endsWith("done"), "the answer");
  expect(origin.requests()).toMatchObject([{ body: "body" }]);
  expect(origin.requests()[0]!.header("expect")).toBeUndefined();
});

test("a body is not asked for where no target can be reached", async () => {
  const { origin, connect } = await open({});
  await origin.close().catch(() => {});
  const text = await connect(request("POST /api/x HTTP/1.1", ["Content-Length: 4", "Expect: 100-continue"])).all();
  expect(text).toMatch(/^HTTP\/1\.1 502 /);
  expect(text).toMatch(/^connection: close\r$/im);
});

test("a target that dies within chunks leaves the last one out and ends the connection", async () => {
  const { connect } = await open({
    onRequest: (_, { socket }) => void socket.end(chunkedHead + chunk("part")),
  });
  const text = await connect(get).all();
  expect(text.endsWith("4\r\npart\r\n")).toBe(true);
});

test("a target that dies within a length ends the connection short of it", async () => {
  const { connect } = await open({
    onRequest: (_, { socket }) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart"),
  });
  const text = await connect(get).all();
  expect(text).toMatch(/^content-length: 10\r$/im);
  expect(text.endsWith("\r\n\r\npart")).toBe(true);
});

test("the requests of 1,000 clients that leave are aborted", async () => {
  const { origin, connect } = await open({
    onRequest: (_, { socket }) => void socket.write(chunkedHead + chunk("x")),
  });
  const clients: RawClient[] = [];
  for (let i = 0; i < 10; i++) {
    for (let n = 0; n < 100; n++) clients.push(connect(get));
    await eventually(() => clients.every(({ text }) => text().endsWith("x\r\n")), "the first chunks");
  }
  expect(origin.open()).toBe(1000);
  for (const { reset } of clients) reset();
  await eventually(() => origin.open() === 0, "the end of all requests");
  expect(origin.connections).toHaveLength(1000);
});

const withoutLength = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsome";
const sizedPart = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome";
const events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: some\n\n";

test.each([
  ["before the response", ""],
  ["in a response in chunks", `${chunkedHead}${chunk("some")}`],
  ["in a response with a length", sizedPart],
  ["in a response without a length", withoutLength],
  ["in an event stream", events],
])("a client that ends its side %s has left: the target's request ends at once", async (_, bytes) => {
  const { origin, connect } = await open(answering(bytes), { halfClose: "leave" });
  const client = connect(get);
  await eventually(() => origin.requests().length === 1 && (bytes === "" || client.text().includes("some")));
  // No timer ends it.
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  client.socket.end();
  await once(origin.connections[0]!.socket, "close");
  await client.all();
  expect(client.text()).not.toContain("500");
});

test("a client that ends its side once the target's response is complete gets all of it", async () => {
  const body = "x".repeat(8 * 1024 * 1024);
  const { origin, connect } = await open(answering(whole(body)), { halfClose: "leave" });
  const client = connect();
  client.socket.pause();
  client.socket.write(get);
  await eventually(() => origin.requests().length === 1);
  client.socket.resume();
  await eventually(() => client.text().endsWith(body), "the response");
  client.socket.end(get);
  await client.all();
});

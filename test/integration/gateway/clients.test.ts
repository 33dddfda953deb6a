import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway, type Gateway, type StreamStatus } from "spillway";
import { eventually } from "../../support/reader.ts";

let gateway: Gateway;
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  gateway = await createGateway({
    store: "memory:",
    listen: "127.0.0.1:0",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    limits: { stall: "2s", body: "16MiB" },
    // So that no heartbeat finds out what the connection itself should tell.
    streams: { s: { heartbeat: "1h" } },
  });
  ({ port } = await gateway.listen());
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway.close();
});

const status = (): StreamStatus => gateway.status().streams["s"]!;
const subscribe = "GET /streams/s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

function open(request: string): { socket: Socket; text: () => string } {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.write(request);
  sockets.push(socket);
  return { socket, text: () => text };
}

test("a subscription pipelined behind another request is answered", async () => {
  const { text } = open("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + subscribe);
  await eventually(() => text().includes("event: connected"), "the second answer");
});

test("a head that is too large is answered with 431, also on a connection that served a request before", async () => {
  const { socket, text } = open("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await eventually(() => text().includes('{"status":"ok"}'));
  socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: ${"x".repeat(40_000)}\r\n\r\n`);
  await once(socket, "close");
  expect(text()).toContain("HTTP/1.1 431 ");
});

test("a client that closes its connection is unsubscribed, even if nothing is sent", async () => {
  const { socket, text } = open(subscribe);
  await eventually(() => text().includes("event: connected"));
  socket.end();
  await eventually(() => status().subscribers === 0);
});

test("a path below a stream that does not exist is answered with 404, whatever the client accepts", async () => {
  const { text } = open("GET /streams/s/a/b HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  await eventually(() => text().includes("HTTP/1.1 404 "));
});

test("a reader that receives a large event slowly but steadily is not disconnected as stalled", async () => {
  const { socket, text } = open(subscribe);
  await eventually(() => text().includes("event: connected"));
  socket.removeAllListeners("data").pause();
  const size = 14 * 1024 * 1024;
  await gateway.publish("s", { data: "x".repeat(size) });
  const begun = Date.now();
  let received = 0;
  // For twice as long as `stall`.
  while (Date.now() - begun < 4_500) {
    received += ((socket.read(128 * 1024) ?? socket.read()) as Buffer | null)?.length ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(status().closed).toMatchObject({ stalled: 0 });
  socket.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await eventually(() => received >= size);
});

test("a Fetch request that is aborted before its response leaves no subscriber", async () => {
  const client = new AbortController();
  const answer = gateway.fetch(new Request("http://x/streams/s", { signal: client.signal }));
  client.abort();
  await answer;
  expect(status().subscribers).toBe(0);
});

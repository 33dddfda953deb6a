import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig, type StreamStatus } from "spillway";
import { eventually, read } from "../../support/reader.ts";

let gateway: Gateway;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway.close();
});

async function start(config: Partial<GatewayConfig>): Promise<void> {
  gateway = await createGateway({
    store: "memory:",
    listen: "127.0.0.1:0",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: { s: {} },
    ...config,
  });
}

const status = (): StreamStatus => gateway.status().streams["s"]!;

function open(port: number, request: string): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write(request);
  sockets.push(socket);
  return socket;
}

/** A subscriber whose socket is full. */
async function blocked(port: number): Promise<Socket> {
  const socket = open(port, "GET /streams/s HTTP/1.1\r\nHost: localhost\r\n\r\n").pause();
  await eventually(() => status().subscribers === 1);
  while (status().unsent < 100_000) {
    await gateway.publish("s", { data: "x".repeat(50_000) });
    await new Promise(setImmediate);
  }
  return socket;
}

test("a reader that is behind gets the pending events and the goodbye, within the drain time", async () => {
  await start({ drain: "20s" });
  const socket = await blocked((await gateway.listen()).port);
  const closing = gateway.close();
  let text = "";
  // Later than any sweep over idle connections.
  setTimeout(() => socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1"))).resume(), 300);
  await once(socket, "end");
  await closing;
  expect(text.endsWith("\r\n0\r\n\r\n")).toBe(true);
});

test("a connection that never sent anything does not delay the end", async () => {
  await start({ drain: "500ms" });
  const { port } = await gateway.listen();
  await once(open(port, ""), "connect");
  await gateway.close();
});

test("a subscription that is being looked up when the gateway closes is ended", async () => {
  await start({});
  const answer = gateway.fetch(new Request("http://x/streams/s?last=5"));
  const closing = gateway.close();
  const response = await answer;
  await closing;
  if (response.status === 200) {
    const reading = read(response);
    await eventually(() => reading.ended, "the end");
  } else expect(response.status).toBe(503);
  expect(status().subscribers).toBe(0);
});

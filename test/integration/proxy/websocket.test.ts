import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { WebSocket } from "undici";
import { eventually } from "../../support/reader.ts";

let gateway: Gateway;
const origin = { sockets: new Set<Duplex>(), headers: [] as string[] };
const servers: Server[] = [];

afterEach(async () => {
  await gateway.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  for (const socket of origin.sockets) socket.destroy();
});

/** An origin that sends back each short text message, and refuses `/refused`. */
async function startOrigin(): Promise<string> {
  const server = createServer((_, response) => response.end("no upgrade"));
  server.on("upgrade", (request, socket) => {
    origin.headers = request.rawHeaders;
    if (request.url === "/ws/refused") return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    origin.sockets.add(socket.on("error", () => {}).on("close", () => origin.sockets.delete(socket)));
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("end", () => socket.end());
    socket.on("data", (frame: Buffer) => {
      if ((frame[0]! & 0xf) !== 1) return void socket.end();
      const length = frame[1]! & 0x7f;
      const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, i) => byte ^ frame[2 + (i % 4)]!));
      socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
    });
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(config: Partial<GatewayConfig> = {}, websocket = true): Promise<string> {
  const url = `http://${await startOrigin()}`;
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    drain: "100ms",
    routes: { "/ws/**": { upstream: { url }, websocket } },
    ...config,
  });
  return `127.0.0.1:${(await gateway.listen()).port}`;
}

function connect(url: string): { readonly socket: WebSocket; readonly texts: string[] } {
  const texts: string[] = [];
  const socket = new WebSocket(url);
  socket.addEventListener("message", ({ data }) => texts.push(String(data)));
  return { socket, texts };
}

test("messages pass both ways, and the end of one side is the end of the other", async () => {
  const { socket, texts } = connect(`ws://${await start()}/ws/chat`);
  await eventually(() => socket.readyState === WebSocket.OPEN);
  socket.send("hello");
  await eventually(() => texts.length === 1);
  socket.send("again");
  await eventually(() => texts.join() === "hello,again");
  expect(origin.headers.join()).toMatch(/x-forwarded-for/i);
  for (const peer of origin.sockets) peer.destroy();
  await eventually(() => socket.readyState === WebSocket.CLOSED);

  const second = connect(`ws://127.0.0.1:${(await gateway.listen()).port}/ws/chat`);
  await eventually(() => second.socket.readyState === WebSocket.OPEN);
  second.socket.close();
  await eventually(() => origin.sockets.size === 0);
});

test("a closing gateway cuts the connections that stay open", async () => {
  const { socket } = connect(`ws://${await start()}/ws/chat`);
  await eventually(() => socket.readyState === WebSocket.OPEN);
  await gateway.close();
  await eventually(() => socket.readyState === WebSocket.CLOSED && origin.sockets.size === 0);
});

test.each([
  ["the target refuses", "/ws/refused", true],
  ["the route has no websocket", "/ws/chat", false],
])("no connection is made where %s", async (_, path, websocket) => {
  const { socket } = connect(`ws://${await start({}, websocket)}${path}`);
  await eventually(() => socket.readyState === WebSocket.CLOSED);
  expect(origin.sockets.size).toBe(0);
});

test("a caller without the right is refused before the target is asked", async () => {
  origin.headers = [];
  const { socket } = connect(`ws://${await start({ access: { anonymous: ["subscribe"] } })}/ws/chat`);
  await eventually(() => socket.readyState === WebSocket.CLOSED);
  expect(origin.headers).toEqual([]);
});

test("requests for another protocol are served without it", async () => {
  const host = await start({ streams: { s: {} }, access: { anonymous: ["subscribe", "publish", "proxy"] } });
  const upgrade = { connection: "Upgrade", upgrade: "h2c" };
  const { default: http } = await import("node:http");
  const ask = async (method: string, path: string, body?: string): Promise<number> => {
    const request = http.request(`http://${host}${path}`, { method, headers: upgrade });
    request.end(body);
    const [response] = (await once(request, "response")) as [{ statusCode: number; resume(): void }];
    response.resume();
    return response.statusCode;
  };
  expect(await ask("GET", "/healthz")).toBe(200);
  expect(await ask("GET", "/ws/plain")).toBe(200);
  expect(await ask("POST", "/streams/s/events", "lost?")).toBe(400);
});

test("a gateway in a program's own server takes its upgrades", async () => {
  await start();
  const server = createServer(gateway.node()).on("upgrade", gateway.upgrade());
  const { socket, texts } = connect(`ws://${await listen(server)}/ws/chat`);
  await eventually(() => socket.readyState === WebSocket.OPEN);
  socket.send("hello");
  await eventually(() => texts.join() === "hello");
  socket.close();
});

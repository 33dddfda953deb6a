import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { onTestFinished, describe, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { startApi } from "../../support/api-server.ts";
import { startFed } from "../../support/fed-gateway.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import type { Server } from "node:net";

interface SocketServer {
  readonly url: string;
  readonly sockets: readonly WebSocket[];
  readonly requests: readonly IncomingMessage[];
  readonly received: readonly string[];
}

/** Starts a server that calls `greet` for each connection, and closes it after the test. */
async function startServer(
  greet: (socket: WebSocket, query: URLSearchParams) => void,
  options: { readonly autoPong?: boolean } = {},
): Promise<SocketServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  await once(server, "listening");
  const [sockets, requests, received]: [WebSocket[], IncomingMessage[], string[]] = [[], [], []];
  server.on("connection", (socket, request) => {
    sockets.push(socket);
    requests.push(request);
    socket.on("message", (data: Buffer) => received.push(data.toString())).on("error", () => {});
    greet(socket, new URL(request.url ?? "/", "http://localhost").searchParams);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `ws://127.0.0.1:${portOf(server as unknown as Server)}/`, sockets, requests, received };
}

const message = (seq: number): string => `{"seq":${seq}}`;
const messages = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => message(from + index));

test("each message is an event, and the configured messages, headers and subprotocols are sent", async () => {
  const server = await startServer((socket) => socket.send('{"type":"trade","on":"btc","price":1}'));
  const fed = await startFed({
    url: server.url,
    headers: { "x-key": "k" },
    websocket: { send: ['{"op":"sub"}', "second"], subprotocols: ["feed.v2"] },
    event: "/type",
    channel: "/on",
    data: "/price",
  });
  await fed.untilData(1);
  await eventually(() => server.received.length === 2);
  expect(fed.events).toEqual([{ event: "trade", data: "1", channel: "btc" }]);
  expect(server.received).toEqual(['{"op":"sub"}', "second"]);
  expect(server.requests[0]!.headers).toMatchObject({ "x-key": "k", "sec-websocket-protocol": "feed.v2" });
});

test("a message that is not JSON is an event too, if no pointer needs JSON", async () => {
  const server = await startServer((socket) => socket.send("plain\r\ntext"));
  const fed = await startFed({ url: server.url });
  await fed.untilData(1);
  expect(fed.data()).toEqual(["plain\ntext"]);
});

describe("a broken connection", () => {
  test("is resumed by a parameter, and every event is stored once", async () => {
    const server = await startServer((socket, query) => {
      const since = Number(query.get("since") ?? 0);
      for (const text of messages(Math.max(1, since - 1), since + 4)) socket.send(text);
      if (since < 12) setImmediate(() => socket.terminate());
    });
    const fed = await startFed({ url: server.url, id: "/seq", resume: { query: "since" } });
    await eventually(() => fed.data().includes(message(12)));
    expect(fed.data().slice(0, 12)).toEqual(messages(1, 12));
    expect(fed.gaps()).toBe(0);
  });

  test("is resumed by a message", async () => {
    const server = await startServer((socket) => {
      socket.on("message", (data: Buffer) => {
        const { after } = JSON.parse(data.toString()) as { after: string };
        const since = Number(after);
        for (const text of messages(since + 1, since + 3)) socket.send(text);
        if (since < 9) socket.close(1012);
      });
    });
    const resume = { message: '{"op":"sub","after":"{id}"}', initial: 0 };
    const fed = await startFed({ url: server.url, id: "/seq", resume });
    await fed.untilData(12);
    expect(fed.data()).toEqual(messages(1, 12));
    expect(fed.gaps()).toBe(0);
  });

  test("leaves a gap if the source cannot resume", async () => {
    const server = await startServer((socket) => socket.send(message(server.sockets.length)));
    const fed = await startFed({ url: server.url, id: "/seq" });
    await fed.untilData(1);
    server.sockets[0]!.close(1000);
    await fed.untilData(2);
    expect(fed.events.map(({ event }) => event)).toEqual(["message", "spillway.gap", "message"]);
  });
});

describe("a bad source", () => {
  test("that sends binary messages is counted, or its messages are base64", async () => {
    const server = await startServer((socket) => {
      socket.send(Buffer.from([0xff, 0xfe]));
      socket.send("text");
    });
    const refusing = await startFed({ url: server.url });
    await refusing.untilData(1);
    expect(refusing.data()).toEqual(["text"]);
    expect(refusing.status()).toMatchObject({ received: 2, refused: 1 });
    const encoding = await startFed({ url: server.url, binary: "base64" });
    await encoding.untilData(2);
    expect(encoding.data()).toEqual(["//4=", "text"]);
  });

  test("that sends too large a message is connected again", async () => {
    const server = await startServer((socket) =>
      socket.send(server.sockets.length === 1 ? "x".repeat(100_000) : "small"),
    );
    const fed = await startFed({ url: server.url, maxEventBytes: "64KiB" });
    await fed.untilData(1);
    expect(fed.lines.join("\n")).toContain("upstream-message-too-large");
  });

  test("that stalls is connected again, and one that answers pings is not", async () => {
    const stalled = await startServer((socket) => socket.send("x"), { autoPong: false });
    const options = { websocket: { ping: "20ms" }, timeouts: { idle: "300ms" } };
    const fed = await startFed({ url: stalled.url, ...options });
    await fed.untilError("upstream-timeout");
    const quiet = await startServer(() => {});
    const other = await startFed({ url: quiet.url, ...options });
    await eventually(() => stalled.sockets.length > 4);
    expect(other.status()).toMatchObject({ state: "open", errors: 0 });
  });

  test("that refuses the handshake is upstream-status", async () => {
    const api = await startApi((response) => void response.writeHead(404).end());
    const fed = await startFed({ url: api.url.replace("http", "ws") });
    await fed.untilError("upstream-status");
  });
});

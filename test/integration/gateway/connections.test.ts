import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { eventually } from "../../support/reader.ts";

let gateway: Gateway;
let port: number;
let sockets: Client[];

/** A connection and its received data. */
interface Client {
  readonly socket: Socket;
  text(): string;
  closed(): boolean;
}

function open(bytes: string): Client {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  let text = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {}).on("close", () => (closed = true));
  socket.on("end", () => (closed = true));
  socket.write(bytes);
  const client = { socket, text: () => text, closed: () => closed };
  sockets.push(client);
  return client;
}

const subscribers = (): number => gateway.status().streams["s"]!.subscribers;
const request = "GET /streams/s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n";

describe.each(["raw", "node"] as const)("the %s listener", (listener) => {
  beforeEach(async () => {
    sockets = [];
    gateway = await createGateway({
      listen: "127.0.0.1:0",
      listener,
      store: "memory:",
      access: { anonymous: ["subscribe", "publish", "admin"] },
      streams: { s: {} },
    });
    ({ port } = await gateway.listen());
  });

  afterEach(async () => {
    for (const { socket } of sockets) socket.destroy();
    await gateway.close();
  });

  test("a request may arrive in pieces", async () => {
    const client = open(request.slice(0, 20));
    await eventually(() => client.socket.bytesWritten === 20);
    client.socket.write(`${request.slice(20)}\r\n`);
    await eventually(() => client.text().includes("event: connected"));
    await gateway.publish("s", { data: "x" });
    await eventually(() => client.text().includes("data: x"));
  });

  test.each([
    ["a second request right behind the first", `${request}\r\n${request}\r\n`, ""],
    ["a second request later", `${request}\r\n`, `${request}\r\n`],
    ["garbage", `${request}\r\n`, "\0\x01\x02 what is this\r\n\r\n".repeat(1000)],
  ])("%s does no harm to others, and at most ends its own stream", async (_, first, later) => {
    const bystander = open(`${request}\r\n`);
    const client = open(first);
    await eventually(() => client.text().includes("event: connected") && subscribers() >= 2);
    client.socket.write(later);
    await gateway.publish("s", { data: "one" });
    await eventually(() => bystander.text().includes("data: one"));
    await eventually(() => client.closed() || client.text().includes("data: one"));
    expect(client.text().match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });

  test("a client that closes its sending side is disconnected", async () => {
    const clients = [open(`${request}\r\n`), open(`${request}Connection: keep-alive\r\nUpgrade: h2c\r\n\r\n`)];
    await eventually(() => subscribers() === 2);
    for (const { socket } of clients) socket.end();
    await eventually(() => subscribers() === 0);
    await eventually(() => clients.every(({ closed }) => closed()));
  });

  test("HTTP/1.0 gets the stream without chunked encoding", async () => {
    const client = open("GET /streams/s?after=earliest HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n");
    await eventually(() => client.text().includes("event: connected"));
    expect(client.text()).not.toMatch(/transfer-encoding/i);
    expect(client.text()).toMatch(/\r\n\r\nid: \S+\nevent: connected\n/);
  });

  test("a refused subscription gets a complete response", async () => {
    const client = open("GET /streams/none HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    await eventually(() => client.text().endsWith("}"));
    const [head = "", body = ""] = client.text().split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(head.toLowerCase()).toContain(`content-length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ code: "stream-unknown" });
    // The raw listener serves one request on each connection; Node keeps it for the next.
    if (listener === "raw") await eventually(() => client.closed());
  });

  test("one connection carries several requests that are not subscriptions", async () => {
    const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const client = open(get + get);
    await eventually(() => client.text().match(/HTTP\/1\.1 200 OK/g)?.length === 2);
  });

  test("a stream that the server ends is terminated properly, with its last chunk", async () => {
    const client = open(`${request}\r\n`);
    await eventually(() => subscribers() === 1);
    await gateway.close();
    await eventually(() => client.closed());
    expect(client.text()).toMatch(/spillway\.bye[^]*\r\n0\r\n\r\n$/);
  });
});

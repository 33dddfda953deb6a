import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acceptHandles, type HandleConnection } from "../../../../src/adapters/raw/handle-connections.ts";
import { eventually } from "../../../support/reader.ts";

let server: Server;
let clients: Socket[];
/** The connections that became sockets. */
let sockets: Socket[];
let taken: Array<{ readonly connection: HandleConnection; readonly bytes: string }>;
let opened: HandleConnection[];
let closed: HandleConnection[];

beforeEach(async () => {
  [clients, sockets, taken, opened, closed] = [[], [], [], [], []];
  server = createServer({ allowHalfOpen: true }, (socket) => void sockets.push(socket.on("error", () => {})));
  acceptHandles(server, {
    onOpen(connection) {
      opened.push(connection);
      connection.on("close", () => closed.push(connection));
    },
    onBytes(connection, bytes) {
      const text = bytes.toString();
      if (text.startsWith("leave")) return "leave";
      taken.push({ connection, bytes: text });
      return text.startsWith("take") ? "last" : "keep";
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const socket of [...clients, ...sockets, ...opened]) socket.destroy();
  server.close();
  await eventually(() => closed.length === opened.length);
});

function open(first: string): Socket {
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  clients.push(client.on("error", () => {}));
  if (first !== "") client.write(first);
  return client;
}

async function take(): Promise<{ readonly client: Socket; readonly connection: HandleConnection }> {
  const client = open("take");
  await eventually(() => taken.length === 1);
  return { client, connection: taken[0]!.connection };
}

async function readAll(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("this Node version has the required internals: a connection that is taken gets no socket", async () => {
  const { client, connection } = await take();
  connection.write(Buffer.from("hello"));
  expect(String(await once(client, "data"))).toBe("hello");
  expect(connection.remoteAddress).toBe("127.0.0.1");
  expect(taken[0]!.bytes).toBe("take");
  expect(sockets).toHaveLength(0);
});

test("data after the first bytes of a connection that was taken is dropped", async () => {
  const { client, connection } = await take();
  client.write("leave\r\n".repeat(10_000));
  await eventually(() => client.writableLength === 0);
  connection.write(Buffer.from("still there"));
  expect(String(await once(client, "data"))).toBe("still there");
  expect(taken).toHaveLength(1);
  expect(sockets).toHaveLength(0);
});

test("a connection that is not taken becomes a socket with its first bytes, and its handle connection is closed", async () => {
  const client = open("leave");
  await eventually(() => sockets.length === 1);
  client.write(" it");
  let text = "";
  sockets[0]!.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await eventually(() => text === "leave it");
  expect(closed).toEqual(opened);
  sockets[0]!.end("goodbye");
  expect(String(await readAll(client))).toBe("goodbye");
});

test("its end follows all written data, however slowly that is read", async () => {
  const { client, connection } = await take();
  const bytes = Buffer.alloc(300_000, "abcdefg");
  let count = 1;
  while (connection.write(bytes)) count++;
  connection.write(Buffer.from("the end"));
  connection.destroySoon();
  const received = await readAll(client);
  const all = Buffer.concat([...Array.from({ length: count }, () => bytes), Buffer.from("the end")]);
  expect(received.equals(all)).toBe(true);
  await eventually(() => closed.length === 1);
});

test("a client that ends its side may still read; one that has sent nothing is closed", async () => {
  const { client, connection } = await take();
  let ended = 0;
  connection.on("end", () => ended++);
  const silent = open("");
  await eventually(() => opened.length === 2);
  for (const one of [client, silent]) one.end();
  await eventually(() => ended === 1 && closed.length === 1);
  expect(connection).toMatchObject({ readableEnded: true, destroyed: false });
  connection.write(Buffer.from("the answer"));
  connection.destroySoon();
  expect(String(await readAll(client))).toBe("the answer");
  await eventually(() => closed.length === 2);
  expect(ended).toBe(1);
});

test("a client that disconnects closes it once, whatever it has sent", async () => {
  const { client, connection } = await take();
  const silent = open("");
  await eventually(() => opened.length === 2);
  for (const one of [client, silent]) one.resetAndDestroy();
  await eventually(() => closed.length === 2);
  expect(connection.destroyed).toBe(true);
  expect(connection.write(Buffer.from("x"))).toBe(false);
  connection.destroySoon();
  connection.destroy();
  expect(connection.remoteAddress).toBeUndefined();
  await new Promise(setImmediate);
  expect(closed).toHaveLength(2);
});

test("queued data is dropped when it is destroyed", async () => {
  const { client, connection } = await take();
  while (connection.write(Buffer.alloc(300_000)));
  connection.destroy();
  await eventually(() => closed.length === 1);
  await expect(readAll(client).then((bytes) => bytes.length)).resolves.toBeGreaterThanOrEqual(0);
});

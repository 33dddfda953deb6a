import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { acceptHandles, type HandleConnection } from "../../../../src/adapters/raw/handle-connections.ts";
import { createSilenceWatch } from "../../../../src/adapters/raw/silence-watch.ts";
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

/** Opens a connection whose first bytes are a request, after which it is kept. */
async function keep(): Promise<{ readonly client: Socket; readonly connection: HandleConnection }> {
  const client = open("first");
  await eventually(() => taken.length === 1);
  return { client, connection: taken[0]!.connection };
}

test("a kept connection hands out what arrives during a request once the next one is expected, and then at once", async () => {
  const { client, connection } = await keep();
  for (const text of ["sec", "ond"]) {
    client.write(text);
    // Both are read in this turn or the next, and nothing is handed out.
    await new Promise(setImmediate);
  }
  expect(taken).toHaveLength(1);
  connection.next();
  await eventually(() => taken.length === 2);
  // What was not read yet arrives during the second request.
  connection.next();
  client.write(".");
  await eventually(() => taken.map(({ bytes }) => bytes).join("") === "firstsecond.");
  expect(connection.isPersistent).toBe(true);
});

test("a kept connection holds a few kB, and becomes a socket with all bytes that were not answered", async () => {
  const { client, connection } = await keep();
  // More than the buffers of the kernel take, so that the rest waits for somebody who reads.
  const bytes = Buffer.alloc(32 * 2 ** 20, "leave it, ");
  client.write(bytes);
  connection.write(Buffer.from("the answer"));
  connection.next();
  await eventually(() => sockets.length === 1);
  let received = 0;
  sockets[0]!.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await eventually(() => received === bytes.length);
  expect(closed).toEqual(opened);
  expect(String(await once(client, "data"))).toBe("the answer");
});

test("a kept connection whose client has ended its side carries what came before, and closes", async () => {
  const { client, connection } = await keep();
  client.end("second");
  await eventually(() => connection.readableEnded);
  expect(connection.isPersistent).toBe(true);
  connection.next();
  await eventually(() => taken.length === 2);
  expect(connection.isPersistent).toBe(false);
  connection.write(Buffer.from("the answer"));
  connection.next();
  expect(String(await readAll(client))).toBe("the answer");
  await eventually(() => closed.length === 1);
});

test("a kept connection that ended before its next request becomes a socket that ends, too", async () => {
  const { client, connection } = await keep();
  client.end("leave");
  await eventually(() => connection.readableEnded);
  connection.next();
  await eventually(() => sockets.length === 1);
  let text = "";
  sockets[0]!.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(sockets[0]!, "end");
  expect(text).toBe("leave");
  sockets[0]!.end("goodbye");
  expect(String(await readAll(client))).toBe("goodbye");
});

test("a connection from which nothing comes in time is closed, others are not", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const watch = createSilenceWatch(() => 75_000);
  const destroyed: string[] = [];
  const named = (name: string): HandleConnection =>
    ({ destroyed: false, destroy: () => destroyed.push(name) }) as unknown as HandleConnection;
  const [silent, active, later] = [named("silent"), named("active"), named("later")];
  for (const connection of [silent, active]) watch.add(connection);
  vi.advanceTimersByTime(40_000);
  watch.remove(active);
  watch.add(later);
  vi.advanceTimersByTime(34_000);
  expect(destroyed).toEqual([]);
  vi.advanceTimersByTime(3_000);
  expect(destroyed).toContain("silent");
  expect(destroyed).not.toContain("later");
  vi.advanceTimersByTime(40_000);
  expect([...new Set(destroyed)]).toEqual(["silent", "later"]);
});

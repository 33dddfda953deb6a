import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { directHandle, writeDirect, type DirectHandle, type Written } from "../../../../src/adapters/raw/tcp-handle.ts";

let server: Server;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
});

/** Both ends of a connection. */
async function open(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const far = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [near] = (await once(server, "connection")) as [Socket];
  sockets.push(
    near.on("error", () => {}),
    far.on("error", () => {}),
  );
  return { near, far };
}

/** Writes until data is queued; resolves to the number of writes once the queue is empty, or to `undefined` on failure. */
async function fill(handle: DirectHandle, bytes: Buffer): Promise<number | undefined> {
  let count = 0;
  let onSent = (_broken: boolean): void => {};
  const sent = new Promise<boolean>((resolve) => (onSent = resolve));
  let written: Written;
  do {
    written = writeDirect(handle, bytes, onSent);
    count++;
  } while (written === "sent");
  return written === "broken" || (await sent) ? undefined : count;
}

test("this Node version has the required internals", async () => {
  const { near } = await open();
  expect(directHandle(near)).toBeDefined();
});

test("a slow reader gets everything in order, with the socket's own last bytes at the end", async () => {
  const { near, far } = await open();
  far.pause();
  const handle = directHandle(near)!;
  const bytes = Buffer.alloc(300_000, "abcdefg");
  const filling = fill(handle, bytes);
  const received: Buffer[] = [];
  far.on("data", (chunk: Buffer) => received.push(chunk));
  far.resume();
  const count = await filling;
  near.end("the end");
  await once(far, "end");
  const all = Buffer.concat([...Array.from({ length: count! }, () => bytes), Buffer.from("the end")]);
  expect(Buffer.concat(received).equals(all)).toBe(true);
});

test("a reader that disconnects is reported, whether or not bytes were queued for it", async () => {
  const { near, far } = await open();
  far.pause();
  const handle = directHandle(near)!;
  const filling = fill(handle, Buffer.alloc(300_000));
  await new Promise(setImmediate);
  far.resetAndDestroy();
  expect(await filling).toBeUndefined();
  expect(writeDirect(handle, Buffer.from("x"), () => {})).toBe("broken");
});

test("there is no direct writer if the socket has something left to write, is closed, or is not a socket", async () => {
  const { near, far } = await open();
  near.cork();
  near.write("first");
  expect(directHandle(near)).toBeUndefined();
  near.uncork();
  await once(far, "data");
  expect(directHandle(near)).toBeDefined();
  near.destroy();
  expect(directHandle(near)).toBeUndefined();
  expect(directHandle(new PassThrough())).toBeUndefined();
});

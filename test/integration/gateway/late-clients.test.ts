import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { toNodeHandler } from "../../../src/adapters/node/handler.ts";
import type { HttpHandler } from "../../../src/http/handler.ts";
import { portOf } from "../../support/ports.ts";

let cleanUp: () => void = () => {};

afterEach(() => cleanUp());

/** Subscriptions whose look-up waits until `answer` is called; `open` is the number of those left at the end. */
function slowHandler(): { handler: HttpHandler; answer: () => void; open: () => number; asked: () => number } {
  let open = 0;
  let asked = 0;
  let answer = (): void => {};
  const looked = new Promise<void>((resolve) => (answer = resolve));
  const handler: HttpHandler = async ({ path }) => {
    asked++;
    if (path === "/never") return new Promise(() => {});
    await looked;
    return {
      status: 200,
      headers: {},
      open: () => (open++, { onDrain() {}, onHalfClose() {}, onClose: () => void open-- }),
      abandon() {},
    };
  };
  return { handler, answer, open: () => open, asked: () => asked };
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
};

test("an HTTP/2 client that disconnects during the look-up does not stay subscribed", async () => {
  const { handler, answer, open } = slowHandler();
  const server = createHttp2Server(toNodeHandler(handler)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connectHttp2(`http://127.0.0.1:${portOf(server)}`).on("error", () => {});
  cleanUp = () => {
    client.destroy();
    server.close();
  };
  const asking = once(server, "stream") as Promise<[ServerHttp2Stream]>;
  const request = client.request({ ":path": "/streams/s" }).on("error", () => {});
  const [stream] = await asking;
  const gone = once(stream, "close");
  request.close(8);
  await gone;
  answer();
  await turns();
  expect(open()).toBe(0);
});

test("a pipelined client that disconnects during the look-up does not stay subscribed", async () => {
  const { handler, answer, open, asked } = slowHandler();
  const server = createServer(toNodeHandler(handler)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepting = once(server, "connection") as Promise<[Socket]>;
  const client = connect(portOf(server), "127.0.0.1").on("error", () => {});
  cleanUp = () => {
    client.destroy();
    server.close();
  };
  const [socket] = await accepting;
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  client.write(get("/never") + get("/streams/s"));
  while (asked() < 2) await once(server, "request");
  const gone = once(socket, "close");
  client.destroy();
  await gone;
  answer();
  await turns();
  expect(open()).toBe(0);
});

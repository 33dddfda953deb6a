import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { readPlainGet } from "../../../src/adapters/request-head.ts";

let gateway: Gateway | undefined;

afterEach(() => gateway?.close());

/** A head that is almost good: a long blank, and then what no header value may contain. */
const spaced = (length: number): Buffer =>
  Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\na:${" ".repeat(length)}\x01\r\n\r\n`, "latin1");

test("a header of blanks is looked through once", { timeout: 3000 }, () => {
  expect(readPlainGet(spaced(2500))).toBeUndefined();
});

test("a header of blanks that ends badly is refused by Node's parser", { timeout: 3000 }, async () => {
  gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", streams: { s: {} } });
  const { port } = await gateway.listen();
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.end(spaced(2500));
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
});

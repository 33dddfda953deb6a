import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { readPlainRequest } from "../../../src/adapters/raw/request-head.ts";

let gateway: Gateway | undefined;

afterEach(() => gateway?.close());

/** An almost valid head: many blanks, then a character that no header value may contain. */
const spaced = (length: number): Buffer =>
  Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\na:${" ".repeat(length)}\x01\r\n\r\n`, "latin1");

/** The CPU time of this process for an action, in ms, independent of other load. */
async function cpuTime(action: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Scanning the blanks again for each of them would take far longer. */
const enough = 2000;

test("a header of blanks is scanned only once", async () => {
  expect(await cpuTime(() => expect(readPlainRequest(spaced(2500))).toBeUndefined())).toBeLessThan(enough);
});

test("a header of blanks with an invalid end is refused by Node's parser", async () => {
  gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", streams: { s: {} } });
  const { port } = await gateway.listen();
  let text = "";
  const time = await cpuTime(async () => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    socket.end(spaced(2500));
    for await (const chunk of socket) text += String(chunk);
  });
  expect(time).toBeLessThan(enough);
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
});

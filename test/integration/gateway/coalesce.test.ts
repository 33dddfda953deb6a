import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { eventually } from "../../support/reader.ts";

let gateway: Gateway;

afterEach(() => gateway.close());

async function start(coalesce: string): Promise<{ text: () => string }> {
  gateway = await createGateway({ store: "memory:", listen: "127.0.0.1:0", streams: { s: { coalesce } } });
  const { port } = await gateway.listen();
  let text = "";
  const socket = connect(port, "127.0.0.1").on("data", (bytes) => (text += String(bytes)));
  socket.write("GET /streams/s HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await eventually(() => text.includes("event: connected"));
  return { text: () => text };
}

/** The chunk of HTTP/1.1's transfer coding in which each of the events came. */
function chunksOf(text: string, data: readonly string[]): number[] {
  const chunks = text.split(/\r\n[0-9a-f]+\r\n/);
  return data.map((value) => chunks.findIndex((chunk) => chunk.includes(`data: ${value}\n`)));
}

const values = ["one", "two", "three", "four"];

/** Each one is stored before the next is sent. */
async function publishOneByOne(): Promise<void> {
  for (const data of values) {
    await gateway.publish("s", { data });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
}

test("events within the interval are sent together", async () => {
  const { text } = await start("400ms");
  await publishOneByOne();
  await eventually(() => text().includes("four"));
  expect(new Set(chunksOf(text(), values)).size).toBe(1);
});

test("without it, each event is sent separately", async () => {
  const { text } = await start("0ms");
  await publishOneByOne();
  await eventually(() => text().includes("four"));
  expect(new Set(chunksOf(text(), values)).size).toBe(values.length);
});

test("events that are waiting when the gateway stops are sent before its goodbye", async () => {
  const { text } = await start("10s");
  await publishOneByOne();
  await gateway.close();
  await eventually(() => text().includes("spillway.bye"));
  expect(text()).toMatch(/one[^]*two[^]*three[^]*four[^]*spillway\.bye/);
});

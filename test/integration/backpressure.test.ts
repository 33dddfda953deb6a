import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Gateway, StreamStatus } from "spillway";
import { openGateway, stores, type Opened } from "../support/gateways.ts";
import { doors } from "../support/doors.ts";
import { eventually, read } from "../support/reader.ts";

const outbox = 64 * 1024;
/** The kernel buffers a few MB for an unread socket: there must be enough events that the gateway has to wait. */
const events = 400;
const data = "x".repeat(32 * 1024);
const page = 128 * 1024;

describe.each(stores)("over %s", (store) => {
  let opened: Opened;
  let sockets: Socket[];

  beforeEach(() => {
    sockets = [];
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await opened.close();
  });

  async function open(stall: string): Promise<{ gateway: Gateway; url: string }> {
    opened = await openGateway(store, doors[0]!, {
      listen: "127.0.0.1:0",
      streams: { s: {} },
      limits: { outbox, stall },
    });
    const { port } = await opened.gateway.listen();
    return { gateway: opened.gateway, url: `http://127.0.0.1:${port}` };
  }

  function stalledReaders(url: string, count: number): void {
    for (let i = 0; i < count; i++) {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => {}).pause();
      socket.write("GET /streams/s HTTP/1.1\r\nHost: x\r\n\r\n");
      sockets.push(socket);
    }
  }

  const statusOf = (gateway: Gateway): StreamStatus => gateway.status().streams["s"]!;

  test("stalled readers each use a bounded amount of memory and do not affect the others", async () => {
    const { gateway, url } = await open("60s");
    stalledReaders(url, 20);
    const reading = read(await fetch(`${url}/streams/s`));
    await eventually(() => statusOf(gateway).subscribers === 21);
    for (let n = 0; n < events; n++) await gateway.publish("s", { data: n + data });
    await reading.until(() => reading.data().length === events);
    const { lag, unsent, subscribers } = statusOf(gateway);
    expect(lag).toBeGreaterThan(0);
    expect(unsent).toBeLessThanOrEqual(20 * (outbox + page));
    expect(subscribers).toBe(21);

    // Who reads on gets everything after all, out of the log, in order.
    const late = sockets[0]!;
    let text = "";
    late.on("data", (chunk: Buffer) => (text += chunk.toString("latin1"))).resume();
    await eventually(() => text.includes(`data: ${events - 1}x`), "the end");
    const numbers = [...text.matchAll(/data: (\d+)x/g)].map(([, n]) => Number(n));
    expect(numbers).toEqual(Array.from({ length: events }, (_, n) => n));
    await reading.cancel();
  });

  test("a reader that reads nothing is disconnected, with a reason that is counted; a slow reader is not", async () => {
    const { gateway, url } = await open("3s");
    stalledReaders(url, 3);
    const slow = (await fetch(`${url}/streams/s`)).body!.getReader();
    await eventually(() => statusOf(gateway).subscribers === 4);
    const publishing = (async () => {
      for (let n = 0; n < events; n++) await gateway.publish("s", { data: n + data });
    })();
    for (let received = 0; received < events * data.length;) {
      const { value, done } = await slow.read();
      expect(done).toBe(false);
      received += value!.length;
      // Slower than what comes, as long as the others have not been cut.
      if (statusOf(gateway).closed.stalled < 3) await new Promise((resolve) => setTimeout(resolve, 8));
    }
    await publishing;
    await eventually(() => statusOf(gateway).closed.stalled === 3, "three cuts");
    expect(statusOf(gateway).subscribers).toBe(1);
    await slow.cancel();
  });
});

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { startApi } from "../../support/api-server.ts";
import { embeddedDoors } from "../../support/doors.ts";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";

describe.each(embeddedDoors)("through $name", (kind) => {
  test("a drained gateway has ended its subscribers and long polls, refuses new ones, and still does everything else", async () => {
    let begun = 0;
    const log = (_: object, message: string): void => void (begun += Number(message === "subscription began"));
    const access = { anonymous: ["subscribe", "publish"] } as const;
    const config = { store: "memory:", streams: { s: {} }, access } as const;
    const logger = { debug: log, info: log, warn: log, error: log };
    const gateway = await createGateway(config, { logger });
    const door = await kind.open(gateway);
    onTestFinished(async () => {
      await gateway.close();
      await door.close();
    });
    const reading = read(await door.request("/streams/s"));
    await reading.until(({ events }) => events.length === 1);
    const polled = door.request("/streams/s?wait=50", { headers: { accept: "application/json" } });
    await eventually(() => begun === 2, "the long poll waits");
    const within = gateway.subscribe("s")[Symbol.asyncIterator]();
    const next = within.next();

    expect(await Promise.all([gateway.drain(), gateway.drain()])).toEqual([undefined, undefined]);
    await eventually(() => reading.ended, "the end of the subscription");
    expect(reading.controls("spillway.bye")).toEqual([{ reason: "drain", retry: expect.any(Number) as number }]);
    expect(await (await polled).json()).toMatchObject({ events: [], gap: null });
    for (const accept of ["text/event-stream", "application/x-ndjson", "application/json"]) {
      const refused = await door.request("/streams/s", { headers: { accept } });
      expect([refused.status, refused.headers.has("retry-after")]).toEqual([503, true]);
      expect(await refused.json()).toMatchObject({ code: "shutting-down" });
    }
    expect((await door.request("/readyz")).status).toBe(503);

    const headers = { "content-type": "application/json" };
    const published = await door.request("/streams/s/events", { method: "POST", headers, body: '{"data":"late"}' });
    expect(published.status).toBe(200);
    expect((await next).value).toMatchObject({ data: "late" });
    await within.return?.();
    await Promise.all([gateway.close(), gateway.close(), gateway.drain()]);
    expect(await gateway.publish("s", { data: "too late" }).catch((error: unknown) => error)).toMatchObject({
      code: "store-closed",
    });
  });
});

test("a server that is closed before its streams have ended closes with them", async () => {
  const gateway = await createGateway({ store: "memory:", streams: { s: {} } }, { logger: false });
  onTestFinished(() => gateway.close());
  const { server, port } = await listening(gateway);
  // It closes no idle connection, and neither does the client.
  server.keepAliveTimeout = 0;
  const client = connect(port, "127.0.0.1");
  client.write("GET /streams/s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
  let received = "";
  client.on("data", (bytes) => (received += String(bytes)));
  await eventually(() => received.includes("event: connected"), "the subscription");
  const closed = [once(server, "close"), once(client, "close")];
  server.close();
  await gateway.drain();
  await Promise.all(closed);
  expect(received).toContain("spillway.bye");
});

async function listening(gateway: Gateway): Promise<{ server: Server; port: number }> {
  const server = createServer(gateway.node()).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => server.closeAllConnections());
  return { server, port: portOf(server) };
}

test("a server that waits for its responses can close after the drain, also with a client that does not read", async () => {
  const gateway = await createGateway({ store: "memory:", streams: { s: {} }, drain: "1s" });
  onTestFinished(() => gateway.close());
  const { server, port } = await listening(gateway);
  const idle = connect(port, "127.0.0.1");
  idle.write("GET /streams/s HTTP/1.1\r\nHost: x\r\n\r\n");
  const stuck = connect(port, "127.0.0.1").pause();
  stuck.on("error", () => {});
  stuck.write("GET /streams/s HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually(() => gateway.subscribers("s").total === 2);
  idle.resume();
  while (gateway.status().streams["s"]!.unsent < 100_000) {
    await gateway.publish("s", { data: "x".repeat(50_000) });
    await new Promise(setImmediate);
  }
  const closed = once(server, "close");
  await gateway.drain();
  server.close();
  await closed;
  expect(gateway.subscribers("s").total).toBe(0);
});

test("forwarded requests end with the drain, and new ones are refused", async () => {
  const target = await startApi((response) => void response.writeHead(200).write("begun"));
  const routes = { "/api/*": { upstream: { url: new URL(target.url).origin }, access: "none" } } as const;
  const gateway = await createGateway({ store: "memory:", streams: {}, routes, drain: "100ms" });
  onTestFinished(() => gateway.close());
  const { port } = await listening(gateway);
  const response = await fetch(`http://127.0.0.1:${port}/api/x`);
  const body = response.text().catch(() => "cut");
  await gateway.drain();
  expect(await body).toBe("cut");
  const refused = await fetch(`http://127.0.0.1:${port}/api/x`);
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: "shutting-down" }]);
});

import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server, type ClientHttp2Session } from "node:http2";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { eventually } from "../../support/reader.ts";

const closers: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const size = 40_000;
const part = "x".repeat(30_000);

/** A gateway whose bodies may take 100,000 bytes together, and one address half of it. */
async function open(): Promise<Gateway> {
  const gateway = await createGateway({
    store: "memory:",
    listen: "127.0.0.1:0",
    streams: { s: {} },
    trustProxy: ["127.0.0.1"],
    access: { anonymous: ["publish", "subscribe", "admin"] },
    limits: { bodies: "100000B", body: "50000B", timeouts: { body: "30s" } },
  });
  closers.push(() => gateway.close());
  return gateway;
}

/** The value of the metric. */
async function taken(gateway: Gateway): Promise<number> {
  const text = await (await gateway.fetch(new Request("http://x/metrics"))).text();
  return Number(/^spillway_request_body_bytes (\d+)$/m.exec(text)?.[1]);
}

/** A request that sends its body until it is ended. */
interface SlowRequest {
  /** The status of its answer, once there is one. */
  readonly status: Promise<number>;
  end(): void;
  abandon(): void;
}

type Begin = (address: string) => SlowRequest | Promise<SlowRequest>;

const json = (data: string): string => JSON.stringify({ data });

/** Starts a request over HTTP/1.1 and sends most of its body. */
function overHttp1(port: number): Begin {
  return async (address) => {
    const socket: Socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    closers.push(() => socket.destroy());
    const whole = json("x".repeat(size - 11));
    const head = `POST /streams/s/events HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\nContent-Type: application/json\r\n`;
    socket.write(`${head}Content-Length: ${whole.length}\r\n\r\n${whole.slice(0, part.length)}`);
    const status = once(socket, "data").then(([bytes]) => Number(String(bytes).slice(9, 12)));
    socket.on("error", () => {});
    return { status, end: () => socket.write(whole.slice(part.length)), abandon: () => void socket.destroy() };
  };
}

function overHttp2(session: ClientHttp2Session): Begin {
  return (address) => {
    const headers = { ":method": "POST", ":path": "/streams/s/events", "content-type": "application/json" };
    const stream = session.request({ ...headers, "x-forwarded-for": address });
    const whole = json("x".repeat(size - 11));
    stream.write(whole.slice(0, part.length));
    stream.on("error", () => {});
    const status = once(stream, "response").then(([answer]) => Number((answer as Record<string, unknown>)[":status"]));
    return { status, end: () => stream.end(whole.slice(part.length)), abandon: () => stream.close() };
  };
}

function overFetch(gateway: Gateway): Begin {
  return () => {
    const whole = json("x".repeat(size - 11));
    let end = (): void => {};
    let abandon = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from(whole.slice(0, part.length)));
        end = () => {
          controller.enqueue(Buffer.from(whole.slice(part.length)));
          controller.close();
        };
        abandon = () => controller.error(new Error("gone"));
      },
    });
    const headers = { "content-type": "application/json" };
    const request = new Request("http://x/streams/s/events", {
      method: "POST",
      headers,
      body,
      duplex: "half",
    } as RequestInit);
    return { status: gateway.fetch(request).then(({ status }) => status), end: () => end(), abandon: () => abandon() };
  };
}

const kinds: Record<string, (gateway: Gateway) => Promise<Begin>> = {
  "its own server": async (gateway) => overHttp1((await gateway.listen()).port),
  "node:http": async (gateway) => {
    const server = createServer(gateway.node()).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    return overHttp1((server.address() as AddressInfo).port);
  },
  "node:http2": async (gateway) => {
    const server = createHttp2Server(gateway.node()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(
      () => server.close(),
      () => session.destroy(),
    );
    return overHttp2(session);
  },
};

describe.each(Object.entries(kinds))("over %s", (_, openDoor) => {
  test("the request bodies in progress have a common limit, and one address gets half of it", async () => {
    const gateway = await open();
    const begin = await openDoor(gateway);
    const first = await begin("192.0.2.1");
    await eventually(async () => (await taken(gateway)) === part.length);
    const again = await begin("192.0.2.1");
    expect(await again.status).toBe(503);
    expect(await taken(gateway)).toBe(part.length);
    const others = [await begin("192.0.2.2"), await begin("192.0.2.3")];
    await eventually(async () => (await taken(gateway)) === 3 * part.length);
    const last = await begin("192.0.2.4");
    expect(await last.status).toBe(503);
    first.end();
    expect(await first.status).toBe(200);
    for (const other of others) other.abandon();
    await eventually(async () => (await taken(gateway)) === 0);
    const later = await begin("192.0.2.1");
    later.end();
    expect(await later.status).toBe(200);
  });
});

test("through fetch, the request bodies in progress have a common limit", async () => {
  const gateway = await open();
  const begin = overFetch(gateway);
  const first = await begin("");
  await eventually(async () => (await taken(gateway)) === part.length);
  expect(await (await begin("")).status).toBe(503);
  first.end();
  expect(await first.status).toBe(200);
  await eventually(async () => (await taken(gateway)) === 0);
});

test("a body of Fetch that breaks off is the client's error, and is not logged as one of the server", async () => {
  const logged: string[] = [];
  const log = (_: object, message: string): void => void logged.push(message);
  const gateway = await createGateway(
    { store: "memory:", streams: { s: {} }, access: { anonymous: ["publish"] } },
    { logger: { debug() {}, info() {}, warn: log, error: log } },
  );
  closers.push(() => gateway.close());
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"data":'));
      setImmediate(() => controller.error(new TypeError("terminated")));
    },
  });
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body, duplex: "half" } as const;
  const response = await gateway.fetch(new Request("http://x/streams/s/events", init));
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: "request-invalid", field: "body" });
  expect(logged).toEqual([]);
});

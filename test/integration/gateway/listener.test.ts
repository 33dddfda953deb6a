import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Gateway } from "spillway";
import { afterEach, describe, expect, test } from "vitest";
import { openGateway } from "../../../src/config/create-gateway.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import type { GatewayOptions } from "../../../src/gateway/options.ts";
import { selfSigned } from "../../support/self-signed.ts";

let gateway: Gateway | undefined;

afterEach(() => gateway?.close());

const plain = resolveConfig({ listen: "127.0.0.1:0", store: "memory:", hosts: ["x"], streams: { s: {} } });

async function start(options: Partial<GatewayOptions>, readOptions?: () => Promise<GatewayOptions>): Promise<number> {
  gateway = await openGateway({ ...plain, ...options }, { readOptions });
  return (await gateway.listen()).port;
}

const subscribe = "GET /streams/s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";

describe.each(["raw", "node"] as const)("the %s listener", (listener) => {
  test("serves a subscription, and the status names the listener", async () => {
    const socket = connect(await start({ listener }), "127.0.0.1").setEncoding("utf8");
    let text = "";
    socket.on("data", (chunk: string) => (text += chunk)).write(subscribe);
    await expect.poll(() => text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    await gateway!.publish("s", { data: "hello" });
    await expect.poll(() => text).toContain("data: hello");
    expect(gateway!.status()).toMatchObject({ listener });
    const closed = once(socket, "close");
    await gateway!.close();
    await closed;
    expect(text).toContain("spillway.bye");
    socket.destroy();
  });

  test.each([
    ["a malformed header", subscribe.replace("Accept", "Acc ept"), 400],
    ["a missing Host", subscribe.replace("Host: x\r\n", ""), 400],
    ["another Host", subscribe.replace("Host: x", "Host: other"), 421],
    ["an unknown stream", subscribe.replace("/s ", "/t "), 404],
  ])("refuses %s", async (_, bytes, status) => {
    const socket = connect(await start({ listener }), "127.0.0.1").setEncoding("utf8");
    socket.end(bytes);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test("serves HTTP/1.1 over TLS to a client that has ended its side", async () => {
    const certificate = selfSigned();
    const port = await start({ listener, tls: certificate });
    const socket = connectTls({ port, host: "127.0.0.1", ca: certificate.cert });
    await once(socket, "secureConnect");
    // Only ends its side: the response still arrives.
    socket.allowHalfOpen = true;
    socket.setEncoding("utf8").end("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

test("a reload cannot change the listener", async () => {
  await start({}, async () => ({ ...plain, listener: "node" }));
  await expect(gateway!.reload()).rejects.toMatchObject({ code: "restart-required", field: "listener" });
});

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { Agent, fetch as undiciFetch } from "undici";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { caddy } from "../support/caddy.ts";
import { haproxy } from "../support/haproxy.ts";
import { nginx } from "../support/nginx.ts";
import { findProgram, warnMissing } from "../support/programs.ts";
import { eventually, read, type Reading } from "../support/reader.ts";
import {
  startReverseProxy,
  type ReverseProxy,
  type ReverseProxyKind,
  type ReverseProxySettings,
} from "../support/reverse-proxy.ts";

/** The limits of the proxies in this test: seconds of silence, and open connections of an address. */
const bounds = { idle: 2, perAddress: 6 };

let gateway: Gateway;
let upstream: number;

beforeEach(async () => {
  gateway = await openGateway();
  upstream = (await gateway.listen()).port;
});

for (const kind of [nginx, haproxy, caddy]) {
  if (!isInstalled(kind)) warnMissing(kind.name, kind.name);

  describe.skipIf(!isInstalled(kind))(`${kind.name} with deploy/${kind.file}`, () => {
    for (const http2 of [false, true]) {
      describe(`to a client that speaks ${http2 ? "HTTP/2" : "HTTP/1.1"}`, () => {
        let proxy: ReverseProxy;
        let request: Request;

        beforeEach(async () => {
          proxy = await start(kind, { upstream, ...bounds });
          request = client(proxy, http2);
          await ready(request);
        });

        test.each(["text/event-stream", "application/x-ndjson"])(
          "each event of %s arrives before the next one is published",
          async (accept) => {
            const response = await request("/streams/lively", { headers: { accept, "accept-encoding": "gzip" } });
            expect(response.headers.get("content-encoding")).toBeNull();
            const text = follow(response);
            await eventually(() => text().includes("connected"), "the first event");
            for (let n = 1; n <= 20; n++) {
              await gateway.publish("lively", { data: `event-${n}.` });
              await eventually(() => text().includes(`event-${n}.`), `event ${n}`);
            }
          },
        );

        test("heartbeats keep a stream open for longer than the proxy's timeout for silent ones", async () => {
          const [lively, silent] = await Promise.all([subscribe(request, "lively"), subscribe(request, "silent")]);
          // The proxy's limit is in force: without heartbeats it cuts the stream.
          await eventually(() => silent.ended, "the end of the silent stream");
          const heard = lively.comments.length;
          await lively.until(({ comments }) => comments.length > heard + 2);
          await gateway.publish("lively", { data: "still there" });
          await lively.until((reading) => reading.data().includes("still there"));
        });

        test("a client that reconnects gets exactly the missed events", async () => {
          // A separate client: undici sends no POST on a connection with an open response.
          const publisher = client(proxy, http2);
          const ids = await publishThrough(publisher, "lively", ["1", "2", "3"]);
          const reading = await subscribe(request, "lively", { "last-event-id": ids[0]! });
          expect(reading.response.headers.get("spillway-resume")).toBe("resumed");
          await publishThrough(publisher, "lively", ["4"]);
          await reading.until(() => reading.data().length >= 3);
          expect(reading.data()).toEqual(["2", "3", "4"]);
        });

        test("a body that is too large is refused by the gateway, not by the proxy", async () => {
          const body = JSON.stringify({ data: "x".repeat(1_100_000) });
          const headers = { "content-type": "application/json" };
          const response = await request("/streams/lively/events", { method: "POST", headers, body });
          expect(response.status).toBe(413);
          expect(await response.json()).toMatchObject({ code: "body-too-large" });
        });

        test("a client that disconnects is unsubscribed", async () => {
          const reading = await subscribe(request, "lively");
          expect(subscribers("lively")).toBe(1);
          await reading.cancel();
          await eventually(() => subscribers("lively") === 0, "the end of the subscription");
        });

        test("a gateway that stops sends its clients a goodbye", async () => {
          const reading = await subscribe(request, "lively");
          await Promise.all([gateway.close(), eventually(() => reading.ended, "the end of the stream")]);
          expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
        });
      });
    }

    test("the proxy uses HTTP/2 with a client that supports it", async () => {
      const { url, ca } = await start(kind, { upstream, ...bounds });
      const { port } = new URL(url);
      const socket = connect({
        host: "127.0.0.1",
        port: Number(port),
        servername: "localhost",
        ca,
        ALPNProtocols: ["h2"],
      });
      onTestFinished(() => void socket.destroy());
      await once(socket, "secureConnect");
      expect(socket.alpnProtocol).toBe("h2");
    });

    test("the gateway counts connections by the client's address if it trusts the proxy", async () => {
      const counting = await openGateway({ trustProxy: ["127.0.0.1"], limits: { perAddress: 1 } });
      const proxy = await start(kind, { upstream: (await counting.listen()).port, ...bounds });
      const [one, other] = ["127.0.0.2", "127.0.0.3"].map((address) => client(proxy, false, address));
      await ready(one!);
      await Promise.all([subscribe(one!, "lively"), subscribe(other!, "lively")]);
      const refused = await one!("/streams/lively");
      expect(refused.status).toBe(429);
      expect(await refused.json()).toMatchObject({ code: "too-many-connections" });
    });

    test("the gateway gets the client's address from the proxy, whatever the client claims", async () => {
      const recorder = await recordHeaders();
      const request = client(await start(kind, { upstream: recorder.port, ...bounds }), true);
      const lies = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http", "x-forwarded-host": "lie.example" };
      await eventually(async () => (await request("/streams/lively", { headers: lies })).ok, "an answer");
      const { host, ...headers } = recorder.headers.at(-1)!;
      expect(headers).toMatchObject({
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": host,
      });
      expect(host).toMatch(/^localhost:\d+$/);
    });
  });
}

// Caddy has no such limit, and no access log by default.
for (const kind of [nginx, haproxy]) {
  describe.skipIf(!isInstalled(kind))(`${kind.name} with its limits and logs`, () => {
    test("one address cannot have more open connections than allowed", async () => {
      const request = client(await start(kind, { upstream, ...bounds }), false);
      await ready(request);
      const open = [];
      for (let n = 0; n < bounds.perAddress; n++) open.push(await subscribe(request, "lively"));
      const refused = await request("/streams/lively");
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("5");
      await open[0]!.cancel();
      await eventually(async () => (await request("/healthz")).ok, "room for another one");
    });

    test("no ticket appears in its log", async () => {
      const proxy = await start(kind, { upstream, ...bounds });
      const request = client(proxy, true);
      await ready(request);
      await (await request("/streams/lively?ticket=secret-ticket")).body!.cancel();
      await eventually(() => proxy.logged().includes("/streams/lively "), "a line about the request");
      expect(proxy.logged()).not.toContain("secret");
    });
  });
}

function isInstalled({ name }: ReverseProxyKind): boolean {
  return findProgram(name) !== undefined;
}

async function start(kind: ReverseProxyKind, settings: ReverseProxySettings): Promise<ReverseProxy> {
  const proxy = await startReverseProxy(kind, settings);
  onTestFinished(() => proxy.close());
  return proxy;
}

async function openGateway(config: GatewayConfig = {}): Promise<Gateway> {
  const opened = await createGateway({
    store: "memory:",
    listen: "127.0.0.1:0",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: { lively: { heartbeat: "200ms" }, silent: { heartbeat: "1h" } },
    ...config,
  });
  onTestFinished(() => opened.close());
  return opened;
}

type Request = (
  path: string,
  init?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Response>;

/** A client that checks the proxy's certificate, at one of the addresses of loopback. */
function client({ url, ca }: ReverseProxy, http2: boolean, localAddress = "127.0.0.1"): Request {
  const connection = { connect: { ca, family: 4 }, localAddress };
  const dispatcher = new Agent({ ...connection, allowH2: http2, pipelining: http2 ? 100 : 1 });
  onTestFinished(() => dispatcher.destroy());
  return async (path, init = {}) =>
    (await undiciFetch(`${url}${path}`, { ...init, dispatcher })) as unknown as Response;
}

/** Resolves when the proxy forwards requests: a proxy with health checks must detect its upstream first. */
async function ready(request: Request): Promise<void> {
  await eventually(async () => (await request("/healthz")).ok, "the proxy");
}

async function subscribe(request: Request, stream: string, headers: Record<string, string> = {}): Promise<Reading> {
  const reading = read(await request(`/streams/${stream}`, { headers: { accept: "text/event-stream", ...headers } }));
  return reading.until(({ events }) => events.length > 0);
}

async function publishThrough(request: Request, stream: string, data: readonly string[]): Promise<string[]> {
  const response = await request(`/streams/${stream}/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(data.map((text) => ({ data: text }))),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { readonly ids: string[] }).ids;
}

function subscribers(stream: string): number {
  const { streams } = gateway.status();
  return streams[stream]!.subscribers;
}

/** The received text of a body. */
function follow(response: Response): () => string {
  let text = "";
  const decoder = new TextDecoder();
  void (async () => {
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true });
  })().catch(() => {});
  return () => text;
}

/** The gateway in a server that records the headers of each request for a stream. */
async function recordHeaders(): Promise<{ readonly port: number; readonly headers: IncomingHttpHeaders[] }> {
  const headers: IncomingHttpHeaders[] = [];
  const handle = gateway.node();
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/streams/")) headers.push(request.headers);
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, headers };
}

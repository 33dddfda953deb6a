import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { UpstreamConfig } from "spillway";
import type { Check } from "../../../src/doctor/check.ts";
import { isPresent } from "../../support/engines.ts";
import { startFed } from "../../support/fed-gateway.ts";
import { amqpUrl, openQueue } from "../../support/rabbitmq.ts";
import { eventually } from "../../support/reader.ts";
import { redisUrl } from "../../support/redis.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { runCli } from "../cli/cli.ts";

const { cert, key } = selfSigned("source.test");

/** A kind of source whose server is reached over TLS. */
interface SecureSource {
  readonly name: string;
  readonly scheme: string;
  /** The port of the server without TLS. */
  readonly port: () => number;
  /** What a test needs in addition to the URL. */
  readonly settings: () => UpstreamConfig | Promise<UpstreamConfig>;
  /** What doctor says of a server of this kind. */
  readonly words: string;
}

const portIn = (url: string, usual: number): number => Number(new URL(url).port || usual);
const mqttUrl = process.env["TEST_MQTT_URL"] ?? "mqtt://127.0.0.1:1883";

let webSocket: WebSocketServer;

const all: readonly SecureSource[] = [
  {
    name: "websocket",
    scheme: "wss",
    port: () => (webSocket.address() as AddressInfo).port,
    settings: () => ({}),
    words: "answers as a WebSocket",
  },
  {
    name: "redis",
    scheme: "rediss",
    port: () => portIn(redisUrl, 6379),
    settings: () => ({ redis: { subscribe: [randomUUID()] } }),
    words: "answers as a Redis server",
  },
  {
    name: "mqtt",
    scheme: "mqtts",
    port: () => portIn(mqttUrl, 1883),
    settings: () => ({ mqtt: { topics: [randomUUID()], clientId: randomUUID(), session: "1s" } }),
    words: "answers as an MQTT broker",
  },
  {
    name: "amqp",
    scheme: "amqps",
    port: () => portIn(amqpUrl, 5672),
    settings: async () => ({ amqp: { queue: (await openQueue()).name } }),
    words: "answers as an AMQP broker with this queue",
  },
];

const closings: Array<() => void> = [];

/** Terminates TLS in front of a server, as proxies for TLS do. */
async function startTls(port: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert, key }, (client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(from);
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  // Clients that do not trust the certificate end the handshake.
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  webSocket = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(webSocket, "listening");
  closings.push(() => webSocket.close());
});

afterAll(() => {
  for (const close of closings) close();
});

describe.each(all.filter(isPresent))("$scheme", ({ scheme, port, settings, words }) => {
  test("a self-signed certificate is refused, and accepted with its authority", async () => {
    const url = `${scheme}://127.0.0.1:${await startTls(port())}`;
    const more = await settings();
    const refused = await startFed({ url, ...more });
    await refused.untilError("upstream-connect");
    expect(refused.lines.join("\n")).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
    await refused.close();
    const other = await startFed({ url, ...more, tls: { ca: selfSigned("source.test").cert } });
    await other.untilError("upstream-connect");
    await other.close();
    const accepted = await startFed({ url, ...more, tls: { ca: cert } });
    await eventually(() => accepted.status().state === "open");
  });

  test("doctor names what answers, and why a connection fails", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spillway-tls-"));
    const url = `${scheme}://127.0.0.1:${await startTls(port())}`;
    const more = await settings();
    const closed = `${scheme.replace(/s$/, "")}://127.0.0.1:1`;
    const streams = {
      good: { upstream: { url, ...more, tls: { ca: cert } } },
      untrusted: { upstream: { url, ...more } },
      closed: { upstream: { url: closed, ...more } },
    };
    try {
      await writeFile(join(folder, "spillway.json"), JSON.stringify({ store: "memory:", streams }));
      const { code, stdout } = await runCli(["doctor", "--json", "--check-upstream"], { cwd: folder });
      const checks = stdout.split("\n").filter(Boolean);
      const found = checks.map((line) => JSON.parse(line) as Check).filter(({ name }) => name === "upstream");
      expect(code).toBe(1);
      expect(found.map(({ outcome }) => outcome)).toEqual(["ok", "fail", "fail"]);
      expect(found[0]!.found).toContain(`of good ${words}`);
      expect(found[1]!.found).toMatch(/of untrusted: upstream-connect, .*\(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
      expect(found[2]!.found).toMatch(/of closed: upstream-connect, .*\(ECONNREFUSED\)/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

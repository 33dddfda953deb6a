import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { GatewayConfig } from "../../../src/config/config.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { catchConfigError } from "./support.ts";

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("a resolved configuration", () => {
  test("has every default", () => {
    expect(resolveConfig({ streams: { prices: { upstream: { url: "https://source.example/events" } } } })).toEqual({
      listen: { host: "127.0.0.1", port: 8080 },
      store: "sqlite:./spillway.db",
      synchronous: "full",
      workers: 1,
      drain: 10_000,
      default: "prices",
      access: { anonymous: ["subscribe"] },
      limits: { outbox: 262_144, stall: 60_000, body: 1_048_576 },
      streams: {
        prices: {
          ids: "gateway",
          channel: undefined,
          heartbeat: 15_000,
          coalesce: 0,
          retention: { age: 86_400_000, events: undefined, bytes: 1_073_741_824 },
          upstream: {
            targets: [{ url: "https://source.example/events", name: "target-1" }],
            balance: "failover",
            coolDown: 30_000,
            method: "GET",
            body: undefined,
            headers: {},
            resume: "header",
            connect: "always",
            linger: 30_000,
            timeouts: { connect: 10_000, headers: 30_000, idle: 90_000 },
            backoff: { min: 500, max: 30_000, healthy: 10_000 },
            maxRedirects: 5,
            maxEventBytes: 16_777_216,
            tls: undefined,
            proxy: undefined,
          },
        },
      },
    });
  });

  test("is frozen to the bottom", () => {
    const { streams } = resolveConfig({ streams: { a: { upstream: { url: "http://a" } } } });
    expect([streams, streams["a"]?.upstream?.timeouts, streams["a"]?.upstream?.targets[0]].every(Object.isFrozen)).toBe(
      true,
    );
  });

  test("keeps what was written", () => {
    const headers = (): Record<string, string> => ({ authorization: "Bearer a" });
    const config: GatewayConfig = {
      listen: 9000,
      store: "memory:",
      sqlite: { synchronous: "normal" },
      streams: {
        a: {
          ids: "upstream",
          channel: "/symbol",
          retention: { age: "none", events: "1_000", bytes: 5 },
          upstream: {
            urls: ["http://a", { url: "http://b", name: "spare" }],
            balance: "round-robin",
            body: "{}",
            headers,
            resume: { query: "last-id" },
            connect: "on-demand",
            tls: { ca: certificate, rejectUnauthorized: false },
            proxy: "http://proxy:3128",
          },
        },
      },
    };
    const options = resolveConfig(config);
    expect(options).toMatchObject({
      listen: { host: "127.0.0.1", port: 9000 },
      store: "memory:",
      synchronous: "normal",
    });
    expect(options.streams["a"]).toMatchObject({
      ids: "upstream",
      channel: "/symbol",
      retention: { age: undefined, events: 1_000, bytes: 5 },
      upstream: {
        targets: [
          { url: "http://a", name: "target-1" },
          { url: "http://b", name: "spare" },
        ],
        balance: "round-robin",
        method: "POST",
        body: "{}",
        headers,
        resume: { query: "last-id" },
        connect: "on-demand",
        tls: { ca: certificate, rejectUnauthorized: false },
        proxy: "http://proxy:3128",
      },
    });
  });

  test("has a default stream only where one is named or alone", () => {
    expect(resolveConfig({ streams: { a: {}, b: {} } }).default).toBeUndefined();
    expect(resolveConfig({ streams: { a: {}, b: {} }, default: "b" }).default).toBe("b");
  });

  test("takes a stream that is only published to", () => {
    expect(resolveConfig({ streams: { a: {} } }).streams["a"]?.upstream).toBeUndefined();
  });
});

describe("a PEM option", () => {
  const tlsOf = (tls: object): unknown =>
    resolveConfig({ streams: { a: { upstream: { url: "https://a", tls } } } }).streams["a"]?.upstream?.tls;
  const directory = mkdtempSync(join(tmpdir(), "spillway-pem-"));
  const path = join(directory, "ca.pem");

  afterAll(() => rmSync(directory, { recursive: true }));

  test("is the text itself or a file that holds it", () => {
    writeFileSync(path, certificate);
    expect(tlsOf({ ca: path })).toEqual({ ca: certificate });
    expect(tlsOf({ ca: certificate, servername: "b" })).toEqual({ ca: certificate, servername: "b" });
  });

  test("of a file that is missing or holds none is refused without its content", () => {
    writeFileSync(path, "hunter2");
    for (const ca of [path, join(directory, "missing.pem")]) {
      const { message } = catchConfigError(() => tlsOf({ ca }));
      expect(message).toBe(
        "streams.a.upstream.tls.ca: expected PEM text or the path of a PEM file that can be read, got a string (not shown)",
      );
    }
  });

  test("of a certificate needs its key", () => {
    expect(catchConfigError(() => tlsOf({ cert: certificate })).message).toBe(
      "streams.a.upstream.tls: expected cert and key together, got a section with keys",
    );
  });
});

describe("access", () => {
  test("a public address without it is refused, with two lines to paste", () => {
    const error = catchConfigError(() => resolveConfig({ listen: ":8080", streams: { a: {} } }));
    expect(error.code).toBe("access-required");
    expect(error.field).toBe("access");
    expect(error.message).toContain("\naccess:\n  anonymous: [subscribe]");
  });

  test("a public address with it is taken as it is written", () => {
    const options = resolveConfig({ listen: ":8080", access: { anonymous: ["publish"] }, streams: { a: {} } });
    expect(options.access).toEqual({ anonymous: ["publish"] });
  });

  test("an empty section allows nothing, on loopback too", () => {
    expect(resolveConfig({ access: {}, streams: { a: {} } }).access).toEqual({ anonymous: [] });
  });
});

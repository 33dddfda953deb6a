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
      listener: "raw",
      store: "sqlite:./spillway.db",
      synchronous: "full",
      cluster: { lease: 10_000, node: expect.stringMatching(/^[\w.-]+:\d+$/) as string },
      workers: 1,
      tls: undefined,
      trustProxy: [],
      drain: 10_000,
      default: "prices",
      routes: {},
      runs: {},
      deliveries: {},
      access: {
        anonymous: { can: ["subscribe", "proxy"] },
        keys: [],
        jwt: undefined,
        cookie: undefined,
        tickets: {
          lifetime: 43_200_000,
          firstUse: 30_000,
          anonymous: false,
          perSubject: 10_000,
          perAddress: 10_000,
          bytes: 8_388_608,
        },
        authorize: undefined,
        cors: { origins: [], credentials: false, maxAge: 600_000 },
      },
      limits: {
        failedCredentials: { count: 20, window: 60_000 },
        filters: 200,
        connections: 50_000,
        perSubject: undefined,
        perAddress: undefined,
        connectRate: undefined,
        publishRate: undefined,
        channels: 100,
        url: 8192,
        headers: 16_384,
        replays: 5000,
        replayWait: 10_000,
        searches: 8,
        outbox: 262_144,
        stall: 60_000,
        body: 1_048_576,
        bodies: 67_108_864,
        events: 10_000,
        runs: 1_073_741_824,
        timeouts: { headers: 10_000, body: 30_000 },
        memory: undefined,
        lag: 2000,
      },
      patterns: {},
      streams: {
        prices: {
          hasUpstream: true,
          ids: "gateway",
          channel: undefined,
          heartbeat: { interval: 15_000, event: undefined },
          retry: undefined,
          coalesce: 0,
          retention: { age: 86_400_000, events: undefined, bytes: 1_073_741_824, keys: 100_000 },
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
            source: { kind: "sse" },
            mapping: { id: undefined, event: undefined, channel: undefined, data: undefined },
            tls: undefined,
            proxy: undefined,
          },
        },
      },
    });
  });

  test("is deeply frozen", () => {
    const { streams } = resolveConfig({ streams: { a: { upstream: { url: "http://a" } } } });
    expect([streams, streams["a"]?.upstream?.timeouts, streams["a"]?.upstream?.targets[0]].every(Object.isFrozen)).toBe(
      true,
    );
  });

  test("is stored in a file, unless it only forwards requests", () => {
    const upstream = { url: "http://a" };
    expect(resolveConfig({}).store).toBe("sqlite:./spillway.db");
    expect(resolveConfig({ runs: { "/a": { upstream } } }).store).toBe("sqlite:./spillway.db");
    expect(resolveConfig({ routes: { "/a": { upstream } } }).store).toBe("memory:");
    expect(resolveConfig({ routes: { "/a": { upstream, share: {} } } }).store).toBe("sqlite:./spillway.db");
  });

  test("keeps the given values", () => {
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

  test.each([
    ["REPORT", "REPORT"],
    ["post", "POST"],
    ["M-SEARCH", "M-SEARCH"],
    ["own", "own"],
  ])("accepts the upstream's method %s", (method, resolved) => {
    const { streams } = resolveConfig({ streams: { a: { upstream: { url: "http://a", method } } } });
    expect(streams["a"]?.upstream?.method).toBe(resolved);
  });

  test("has a default stream only if one is named or there is only one", () => {
    expect(resolveConfig({ streams: { a: {}, b: {} } }).default).toBeUndefined();
    expect(resolveConfig({ streams: { a: {}, b: {} }, default: "b" }).default).toBe("b");
  });

  test("accepts a stream that is only published to", () => {
    expect(resolveConfig({ streams: { a: {} } }).streams["a"]?.upstream).toBeUndefined();
  });
});

describe("a PEM option", () => {
  const tlsOf = (tls: object): unknown =>
    resolveConfig({ streams: { a: { upstream: { url: "https://a", tls } } } }).streams["a"]?.upstream?.tls;
  const directory = mkdtempSync(join(tmpdir(), "spillway-pem-"));
  const path = join(directory, "ca.pem");

  afterAll(() => rmSync(directory, { recursive: true }));

  test("is the text itself or a file that contains it", () => {
    writeFileSync(path, certificate);
    expect(tlsOf({ ca: path })).toEqual({ ca: certificate });
    expect(tlsOf({ ca: certificate, servername: "b" })).toEqual({ ca: certificate, servername: "b" });
  });

  test("of a missing or invalid file is refused without its content", () => {
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

  test("a public address with it is accepted as written", () => {
    const options = resolveConfig({ listen: ":8080", access: { anonymous: ["publish"] }, streams: { a: {} } });
    expect(options.access.anonymous).toEqual({ can: ["publish"] });
  });

  test("an empty section allows nothing, even on loopback", () => {
    expect(resolveConfig({ access: {}, streams: { a: {} } }).access.anonymous).toEqual({ can: [] });
  });

  test("a grant can be written in full", () => {
    const anonymous = { channels: ["public:*"] };
    const { access } = resolveConfig({ access: { anonymous }, streams: { a: {} } });
    expect(access.anonymous).toEqual({ can: ["subscribe"], channels: ["public:*"] });
  });

  test("a key has a name, a hash and a grant of its own", () => {
    const hash = `sha256:${"0".repeat(64)}`;
    const key = { name: "web", hash, expires: "2027-01-31T09:00:00Z", streams: ["prices"] };
    const { access } = resolveConfig({ access: { keys: [key] }, streams: { a: {} } });
    const grant = { can: ["subscribe"], streams: ["prices"] };
    expect(access.keys).toEqual([{ name: "web", hash, expiresAt: Date.UTC(2027, 0, 31, 9), grant }]);
  });

  test("a claim can be mapped with or without a template", () => {
    const claims = { channels: "claim:tenant → tenant:{}", streams: "claim:feeds" };
    const { access } = resolveConfig({ access: { jwt: { secret: "x".repeat(32), claims } }, streams: { a: {} } });
    expect(access.jwt?.claims).toEqual({
      channels: { claim: "tenant", template: "tenant:{}" },
      streams: { claim: "feeds", template: "{}" },
      events: undefined,
    });
    expect(access.jwt?.algorithms).toEqual(["HS256"]);
  });

  const secret = "x".repeat(32);
  const hash = `sha256:${"0".repeat(64)}`;
  test.each<[fault: string, access: GatewayConfig["access"], field: string]>([
    [
      "a public key that could be taken for a secret",
      { jwt: { jwks: "https://i/keys", algorithms: ["HS256"] } },
      "access.jwt.algorithms",
    ],
    ["two ways to verify a token", { jwt: { secret, jwks: "https://i/keys" } }, "access.jwt.secret"],
    ["no way to verify a token", { jwt: {} }, "access.jwt.secret"],
    ["a short secret", { jwt: { secret: "short" } }, "access.jwt.secret"],
    ["a cookie without tokens", { cookie: "session" }, "access.cookie"],
    ["cookies from everywhere", { cors: { origins: ["*"], credentials: true } }, "access.cors"],
    ["an origin with a path", { cors: { origins: ["https://app.example/"] } }, "access.cors.origins.0"],
    [
      "two keys of one name",
      {
        keys: [
          { name: "a", hash },
          { name: "a", hash: hash.replace("0", "1") },
        ],
      },
      "access.keys",
    ],
    ["a key in the place of its hash", { keys: [{ name: "a", hash: "spw_secret" }] }, "access.keys.0.hash"],
  ])("%s is refused", (_, access, field) => {
    const error = catchConfigError(() => resolveConfig({ access, streams: { a: {} } }));
    expect(error.field).toBe(field);
    expect(error.message).not.toContain("spw_secret");
  });
});

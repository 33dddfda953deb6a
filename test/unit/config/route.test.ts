import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { RouteConfig } from "../../../src/config/config.ts";
import { readYaml } from "../../../src/config/read-yaml.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { printConfig } from "../../../src/config/print.ts";
import type { RouteOptions } from "../../../src/proxy/options.ts";
import { catchConfigError } from "./support.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "spillway-route-")));
const transform = join(folder, "map.js");
writeFileSync(transform, "export default (event) => event;\n");
afterAll(() => rmSync(folder, { recursive: true }));

function resolveRoute(config: RouteConfig, pattern = "/api/**"): RouteOptions {
  return resolveConfig({ routes: { [pattern]: config } }).routes[pattern]!;
}

const upstream = { url: "http://a:8080/" };

const full: RouteConfig = {
  upstream: {
    urls: ["http://a:8080/base", { url: "https://b/", name: "b", weight: 2 }, { url: "http://c/", weight: 0 }],
    balance: { hash: "header:X-User" },
    health: { path: "/healthz?deep", every: "2s" },
    eject: { errors: "none" },
    slowStart: "30s",
    connections: "1_000",
    queue: { length: 0 },
    retry: { attempts: 2, on: ["refused", 502, 503], budget: 0.5 },
    timeouts: { idle: "5m" },
    tls: { servername: "b.example" },
    http2: true,
  },
  access: "none",
  path: { strip: "/api", prepend: "/v2" },
  host: "client",
  headers: { request: { set: { "X-Tenant": "acme" }, remove: ["Cookie"] } },
  forwarded: "rfc7239",
  credential: "drop",
  transform: { module: transform, onError: "stop" },
  heartbeat: "15s",
};

describe("a route", () => {
  test("has every default", () => {
    expect(resolveRoute({ upstream })).toEqual({
      upstream: {
        targets: [{ name: "target-1", url: "http://a:8080/", weight: 1 }],
        balance: "round-robin",
        health: undefined,
        eject: { errors: 5, for: 30_000, most: 0.5 },
        slowStart: 0,
        connections: 1024,
        queue: { length: 100, for: 1000 },
        retry: { attempts: 1, on: ["refused", "unsent"], budget: 0.2 },
        timeouts: { connect: 5000, headers: 30_000, idle: 90_000 },
        tls: undefined,
        http2: false,
      },
      access: "required",
      path: { strip: "", prepend: "" },
      host: "target",
      headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
      forwarded: "x-forwarded",
      credential: "drop",
      websocket: false,
      halfClose: "leave",
      transform: undefined,
      heartbeat: undefined,
      share: undefined,
    } satisfies RouteOptions);
  });

  test("keeps the given values", () => {
    expect(resolveRoute(full)).toEqual({
      upstream: {
        targets: [
          { name: "target-1", url: "http://a:8080/base", weight: 1 },
          { name: "b", url: "https://b/", weight: 2 },
          { name: "target-3", url: "http://c/", weight: 0 },
        ],
        balance: { hash: "header:x-user" },
        health: { path: "/healthz?deep", every: 2000, timeout: 1000, up: 2, down: 3 },
        eject: undefined,
        slowStart: 30_000,
        connections: 1000,
        queue: { length: 0, for: 1000 },
        retry: { attempts: 2, on: ["refused", 502, 503], budget: 0.5 },
        timeouts: { connect: 5000, headers: 30_000, idle: 300_000 },
        tls: { servername: "b.example" },
        http2: true,
      },
      access: "none",
      path: { strip: "/api", prepend: "/v2" },
      host: "client",
      headers: { request: { set: { "x-tenant": "acme" }, remove: ["cookie"] }, response: { set: {}, remove: [] } },
      forwarded: "rfc7239",
      credential: "drop",
      websocket: false,
      halfClose: "leave",
      transform: { module: transform, onError: "stop" },
      heartbeat: 15_000,
      share: undefined,
    } satisfies RouteOptions);
  });

  test("shares with the usual limits, or the given ones", () => {
    const retention = { age: 3_600_000, events: 10_000, bytes: 16 * 1024 * 1024 };
    const vary = ["accept-language", "authorization", "cookie", "x-api-key"];
    expect(resolveRoute({ upstream, share: true }).share).toEqual({ streams: 100, linger: 60_000, vary, retention });
    const given = { streams: 4, linger: "5s", vary: ["X-Tenant"], retention: { age: "none", bytes: "1MiB" } };
    expect(resolveRoute({ upstream, share: given }).share).toEqual({
      streams: 4,
      linger: 5000,
      vary: ["x-tenant"],
      retention: { age: undefined, events: 10_000, bytes: 1024 * 1024 },
    });
  });

  test("keeps the client's credential by default only if the target decides", () => {
    expect(resolveRoute({ upstream, access: "none" }).credential).toBe("keep");
    expect(resolveRoute({ upstream, access: "required" }).credential).toBe("drop");
  });

  test("with the path of a transform passes events for which it throws", () => {
    expect(resolveRoute({ upstream, transform }).transform).toEqual({ module: transform, onError: "pass" });
  });

  test("reads back to the same options as it is printed", () => {
    const options = resolveConfig({
      streams: { a: {} },
      routes: {
        "/api/**": { ...full, headers: { request: { remove: ["Cookie"] } } },
        "/": { upstream, share: true },
        "/x/*/y": { upstream, transform },
      },
    });
    expect(resolveConfig(parse(printConfig(options)))).toEqual(options);
  });

  test("is printed without its secrets", () => {
    const shown = printConfig(
      resolveConfig({
        routes: {
          "/a": {
            upstream: { url: "http://a", tls: { ca: "-----BEGIN CERTIFICATE-----\nhunter2" } },
            credential: { set: "Bearer hunter2" },
            headers: { request: { set: { "x-key": "hunter2" } }, response: { set: { "x-a": "hunter2" } } },
          },
        },
      }),
    );
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain('x-key: "***"');
  });
});

describe("a configuration with routes only", () => {
  test("stores nothing, also with workers", () => {
    const { store, workers, streams } = resolveConfig({ workers: 2, routes: { "/a": { upstream } } });
    expect({ store, workers, streams }).toEqual({ store: "memory:", workers: 2, streams: {} });
  });

  test("stores what a shared route needs", () => {
    expect(resolveConfig({ routes: { "/a": { upstream, share: true } } }).store).toBe("sqlite:./spillway.db");
  });

  test("uses the store that it names", () => {
    expect(resolveConfig({ store: "sqlite:./a.db", routes: { "/a": { upstream } } }).store).toBe("sqlite:./a.db");
  });

  test("lets anonymous clients use the routes on loopback", () => {
    expect(resolveConfig({ routes: { "/a": { upstream } } }).access.anonymous.can).toContain("proxy");
  });
});

describe("the errors of a route", () => {
  const a = 'upstream: { url: "http://a" }';
  const bareUrl = "an http:// or https:// URL without user, password, query and fragment";

  test.each([
    [`/a: { ${a}, share: false }`, "./a.share: expected true, or { streams, linger, vary, retention }, got false"],
    [
      `/a: { ${a}, share: { vary: [Last-Event-ID] } }`,
      './a.share.vary.0: expected a header name, not accept, accept-encoding, last-event-id, or one of a connection, got "Last-Event-ID"',
    ],
    ["/a: { upstream: {} }", "./a.upstream.url: expected url or urls, got nothing"],
    [
      '/a: { upstream: { url: "http://a", urls: ["http://b"] } }',
      "./a.upstream.urls: expected either url or urls, not both, got a list",
    ],
    [
      '/a: { upstream: { urls: [{ url: "http://a", weight: 0 }] } }',
      "./a.upstream.urls: expected a target with a weight above 0, got a list",
    ],
    [
      '/a: { upstream: { urls: [{ url: "http://a", name: x }, { url: "http://b", name: x }] } }',
      "./a.upstream.urls: expected distinct names, got a list",
    ],
    [
      '/a: { upstream: { url: "http://u:hunter2@a" } }',
      `./a.upstream.url: expected ${bareUrl}, got a URL that begins with http:// (not shown)`,
    ],
    [
      '/a: { upstream: { urls: ["http://a?key=hunter2"] } }',
      `./a.upstream.urls.0: expected ${bareUrl}, or { url, name, weight }, got a URL that begins with http:// (not shown)`,
    ],
    [
      '/a: { upstream: { url: "http://a", balance: { hash: "header:a b" } } }',
      './a.upstream.balance.hash: expected subject, address, header:<name> or cookie:<name>, got "header:a b"',
    ],
    [
      '/a: { upstream: { url: "http://a", retry: { budget: 120% } } }',
      './a.upstream.retry.budget: expected a percentage such as "20%", got "120%"',
    ],
    [
      '/a: { upstream: { url: "http://a", connections: 0 } }',
      "./a.upstream.connections: expected a whole number from 1 to 1000000, got 0",
    ],
    [
      `/a: { ${a}, headers: { request: { set: { Transfer-Encoding: x } } } }`,
      "./a.headers.request.set.Transfer-Encoding: expected a header name, not host, content-length or one of a connection, got a string (not shown)",
    ],
    [
      `/a: { ${a}, credential: { set: "a\\nb" } }`,
      "./a.credential.set: expected a value of the Authorization header, such as Bearer ${KEY}, got a string (not shown)",
    ],
    [
      `/a: { ${a}, transform: ./missing.js }`,
      './a.transform: expected the path of a module that exists, or { module, onError }, got "./missing.js"',
    ],
    [`/a/**: { ${a}, path: { strip: /b } }`, './a/**.path.strip: expected a start of the path /a/**, got "/b"'],
    [
      `/a/**: { ${a}, path: { strip: /a/ } }`,
      './a/**.path.strip: expected a path without a slash at its end, such as /api, got "/a/"',
    ],
    [
      `a/**: { ${a} }`,
      '.***: expected a path pattern that begins with /, such as /events, /users/*/feed or /api/**, got "a/**"',
    ],
  ])("of %s", (route, message) => {
    expect(errorOf(`routes:\n  ${route}\n`)).toBe(`routes${message}`);
  });

  test.each(["/streams", "/streams/**", "/status", "/metrics", "/admin/x", "/tickets", "/healthz", "/readyz"])(
    "refuse the gateway's own path %s",
    (path) => {
      expect(errorOf(`routes:\n  ${path}: { ${a} }\n`)).toContain("a path that the gateway does not answer itself");
    },
  );

  test("refuse a path that is given twice", () => {
    expect(errorOf(`routes:\n  /a: { ${a} }\n  /a: { ${a} }\n`)).toContain("Map keys must be unique");
  });

  test("are none for paths that only begin like the gateway's own", () => {
    expect(() => resolveRoute({ upstream }, "/statuses/**")).not.toThrow();
  });
});

/** The error of a configuration in YAML, without its location. */
function errorOf(yaml: string): string {
  const { message } = catchConfigError(() => {
    const { input, source } = readYaml(yaml, "c.yaml", {});
    resolveConfig(input, source);
  });
  return message.replace(/^c\.yaml:\d+:\d+: /, "");
}

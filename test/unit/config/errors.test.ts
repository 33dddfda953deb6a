import { describe, expect, test } from "vitest";
import { readYaml } from "../../../src/config/read-yaml.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { catchConfigError } from "./support.ts";

/** Lines of a configuration and the lines of the error they lead to. */
const table: readonly [title: string, yaml: string, ...lines: string[]][] = [
  [
    "a misspelt key is named with its place and the nearest key",
    "streams:\n  prices:\n    retension: { age: 1h }\n",
    'c.yaml:3:5: streams.prices.retension: unknown key; did you mean "retention"?',
  ],
  [
    "an unknown key near to none is answered with the known ones",
    "xyzzy: 1\nstreams: { a: {} }\n",
    "c.yaml:1:1: xyzzy: unknown key; expected one of preset, listen, listener, store, sqlite, cluster, workers, tls, trustProxy, hosts, drain, static, default, streams, routes, runs, deliveries, dashboard, access, limits",
  ],
  [
    "every issue is listed",
    "listen: nowhere\ndrain: 10 parsecs\nstreams:\n  a:\n    ids: both\n    heartbeat: 1ms\n",
    'c.yaml:1:9: listen: expected an address such as "127.0.0.1:8080" or a port, got "nowhere"',
    'c.yaml:2:8: drain: expected a duration such as "10s" (at most 24d), got "10 parsecs"',
    'c.yaml:5:10: streams.a.ids: expected one of gateway, upstream, got "both"',
    'c.yaml:6:16: streams.a.heartbeat: expected a duration such as "15s" (at least 10ms, at most 24d), or { interval, event }, got "1ms"',
  ],
  [
    "a heartbeat whose type a listener for messages or control events would get is refused",
    "streams:\n  a: { heartbeat: { event: message } }\n  b: { heartbeat: { event: spillway.x, interval: 1ms } }\n",
    'c.yaml:2:28: streams.a.heartbeat.event: expected an event type of 1 to 256 characters without comma and control characters, not message, connected or spillway.…, got "message"',
    'c.yaml:3:50: streams.b.heartbeat.interval: expected a duration such as "15s" (at least 10ms, at most 24d), got "1ms"',
    'c.yaml:3:28: streams.b.heartbeat.event: expected an event type of 1 to 256 characters without comma and control characters, not message, connected or spillway.…, got "spillway.x"',
  ],
  [
    "a configuration without streams is refused",
    "drain: 1s\n",
    "c.yaml:1:1: streams: expected at least one stream, route or run, got nothing",
  ],
  ["an empty file is refused", "", "c.yaml:1:1: streams: expected at least one stream, route or run, got nothing"],
  [
    "an empty list of streams is refused",
    "streams: {}\n",
    "c.yaml:1:10: streams: expected at least one stream, route or run, got a section with keys",
  ],
  [
    "a stream name that is none is refused at its key",
    "streams:\n  -prices: {}\n",
    'c.yaml:2:3: streams.-prices: expected a stream name (a letter or digit, then at most 63 letters, digits, _ and -), or a pattern of such names with *, got "-prices"',
  ],
  [
    "a pattern of streams has no upstream",
    'streams: { "a-*": { upstream: { url: "http://a" } } }\n',
    "c.yaml:1:31: streams.a-*.upstream: expected no value, because this is a pattern of streams, got a value",
  ],
  [
    "only the streams of a pattern are made on demand",
    "streams: { a: { onDemand: { idle: 1h } } }\n",
    "c.yaml:1:27: streams.a.onDemand: expected no value, because the name is not a pattern such as chat-*, got a value",
  ],
  [
    "an upstream without an address is refused",
    "streams:\n  a:\n    upstream: { connect: always }\n",
    "c.yaml:3:5: streams.a.upstream.url: expected url or urls, got nothing",
  ],
  [
    "url and urls together are refused",
    "streams:\n  a:\n    upstream:\n      url: http://a\n      urls: [http://b]\n",
    "c.yaml:5:13: streams.a.upstream.urls: expected either url or urls, not both, got a list",
  ],
  [
    "an entry of urls is named by its number",
    "streams:\n  a:\n    upstream:\n      urls:\n        - http://b\n        - { url: ftp://c, nam: c }\n",
    "c.yaml:6:18: streams.a.upstream.urls.1.url: expected a URL that begins with http://, https://, ws://, wss://, redis://, rediss://, mqtt://, mqtts://, amqp://, amqps://, got a URL that begins with ftp:// (not shown)",
    'c.yaml:6:27: streams.a.upstream.urls.1.nam: unknown key; did you mean "name"?',
  ],
  [
    "a header that would break the request is refused",
    'streams:\n  a:\n    upstream:\n      url: http://a\n      headers: { a b: c, d: "e\\nf" }\n',
    "c.yaml:5:18: streams.a.upstream.headers.***: expected a header name, got a string (not shown)",
    "c.yaml:5:29: streams.a.upstream.headers.d: expected text without line breaks, got a string (not shown)",
  ],
  [
    "a misspelt key of resume is named",
    "streams:\n  a:\n    upstream: { url: http://a, resume: { qery: last-id } }\n",
    "c.yaml:3:32: streams.a.upstream.resume.query: expected a parameter's name, got nothing",
    'c.yaml:3:42: streams.a.upstream.resume.qery: unknown key; did you mean "query"?',
  ],
  [
    "a body with GET is refused",
    "streams:\n  a:\n    upstream: { url: http://a, method: GET, body: x }\n",
    'c.yaml:3:40: streams.a.upstream.method: expected POST or another method with a body, because there is a body, got "GET"',
  ],
  ...["HEAD", "connect", "TRACE", "a b", ""].map((method): [string, string, string] => [
    `the method ${JSON.stringify(method)} of an upstream is refused`,
    `streams:\n  a:\n    upstream: { url: http://a, method: "${method}" }\n`,
    `c.yaml:3:40: streams.a.upstream.method: expected an HTTP method that a stream can answer, such as GET, POST or REPORT, got "${method}"`,
  ]),
  [
    "an unknown default stream is refused",
    "streams: { a: {}, b: {} }\ndefault: c\n",
    'c.yaml:2:10: default: expected one of a, b, got "c"',
  ],
  [
    "an unknown store is named by its scheme",
    "store: mongodb://u:p@h/1\nstreams: { a: {} }\n",
    "c.yaml:1:8: store: expected a store: sqlite:<path>, memory:, postgres://…, mysql://…, redis://… or nats://…, got a mongodb: URL (not shown)",
  ],
  [
    "an unknown right is refused",
    "access: { anonymous: [read] }\nstreams: { a: {} }\n",
    'c.yaml:1:23: access.anonymous.0: expected one of subscribe, publish, proxy, admin, inspect, got "read"',
  ],
  [
    "a zero bound of retention is refused",
    "streams: { a: { retention: { events: 0 } } }\n",
    'c.yaml:1:38: streams.a.retention.events: expected "none" or a limit such as "1_000_000", not zero, got 0',
  ],
  [
    "a body for which one address could never have room is refused",
    "limits: { body: 40MiB }\nstreams: { a: {} }\n",
    'c.yaml:1:17: limits.body: expected at most half of limits.bodies, which is what one address may use, got "40MiB"',
  ],
  [
    "an unknown preset is refused",
    "preset: surf\nstreams: { a: {} }\n",
    'c.yaml:1:9: preset: expected one of surflux, got "surf"',
  ],
  ["a list in the place of a section is refused", "- a\n", "c.yaml:1:1: expected a section with keys, got a list"],
  [
    "a variable without quotes inside braces is told what it lacks",
    "streams: { a: { upstream: { url: ${URL} } } } #\n#drain: 1s\n",
    "c.yaml:1:35: not valid YAML: unexpected token; inside { } and [ ], quote ${NAME}",
  ],
  ["a duplicate key is an error", "drain: 1s\ndrain: 2s\n", "c.yaml:2:1: not valid YAML: Map keys must be unique"],
  [
    "broken syntax is an error with a place",
    'streams: { a: {} }\nlisten: "x',
    'c.yaml:2:11: not valid YAML: Missing closing "quote',
  ],
];

describe("the errors of a configuration", () => {
  for (const [title, yaml, ...lines] of table) {
    test(title, () => {
      const error = catchConfigError(() => {
        const { input, source } = readYaml(yaml, "c.yaml", {});
        resolveConfig(input, source);
      });
      expect(error.code).toBe("config-invalid");
      expect(error.message.split("\n")).toEqual(lines);
    });
  }

  test("an issue has its parts as fields", () => {
    const { input, source } = readYaml("streams: { a: {} }\ndrian: 1s\n", "c.yaml", {});
    const [issue] = catchConfigError(() => resolveConfig(input, source)).issues;
    expect(issue).toMatchObject({ path: "drian", location: "c.yaml:2:1", suggestion: "drain" });
  });

  test("configuration made in code is refused without a position", () => {
    const error = catchConfigError(() => resolveConfig({ streams: { a: {} }, drian: 1 }));
    expect(error.message).toBe('drian: unknown key; did you mean "drain"?');
    expect(error.field).toBe("drian");
  });

  test("a value behind an alias is reported at its anchor", () => {
    const yaml = "streams:\n  a: { retention: &r { age: soon } }\n  b: { retention: *r }\n";
    const { input, source } = readYaml(yaml, "c.yaml", {});
    const { issues } = catchConfigError(() => resolveConfig(input, source));
    expect(issues.map(({ path, location }) => [path, location])).toEqual([
      ["streams.a.retention.age", "c.yaml:2:29"],
      ["streams.b.retention.age", "c.yaml:2:29"],
    ]);
  });
});

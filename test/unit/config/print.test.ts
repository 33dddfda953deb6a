import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { GatewayConfig } from "../../../src/config/config.ts";
import { readYaml } from "../../../src/config/read-yaml.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { printConfig } from "../../../src/config/print.ts";
import { describeUrl, maskUrl } from "../../../src/config/mask-url.ts";
import { catchConfigError } from "./support.ts";

const secret = "hunter2";

/** A configuration with a secret in every place that may contain one. */
const planted: GatewayConfig = {
  store: "memory:",
  access: {
    jwt: { secret: `${secret}-${"x".repeat(32)}` },
    authorize: { url: `https://auth.example/?key=${secret}` },
  },
  tls: { cert: `-----BEGIN CERTIFICATE-----\n${secret}`, key: `-----BEGIN PRIVATE KEY-----\n${secret}` },
  streams: {
    a: {
      upstream: {
        url: `https://user-${secret}:${secret}@source.example/events?api-key=${secret}#${secret}`,
        method: "POST",
        body: secret,
        headers: { authorization: `Bearer ${secret}` },
        tls: {
          ca: `-----BEGIN CERTIFICATE-----\n${secret}`,
          cert: `-----BEGIN CERTIFICATE-----\n${secret}`,
          key: `-----BEGIN PRIVATE KEY-----\n${secret}`,
        },
        proxy: `http://user:${secret}@proxy:3128`,
      },
    },
    c: { webhook: { scheme: "github", secret } },
    d: { webhook: { scheme: "hmac", secret: [secret, `${secret}2`], header: "x-signature" } },
    b: {
      upstream: { urls: [{ url: `https://source.example/?${secret}`, name: "spare" }], headers: () => ({ a: secret }) },
    },
  },
};

describe("the printed configuration", () => {
  test("shows no secret", () => {
    const shown = printConfig(resolveConfig(planted));
    expect(shown).not.toContain(secret);
    expect(shown).toContain("https://***@source.example/events?api-key=***");
    expect(shown).toContain('authorization: "***"');
    expect(shown).toContain("http://***@proxy:3128/");
  });

  test("shows no password of a shared store", () => {
    const shown = printConfig(resolveConfig({ store: `postgres://user:${secret}@db/x`, streams: { a: {} } }));
    expect(shown).not.toContain(secret);
    expect(shown).toContain("postgres://***@db/x");
  });

  test.each([
    ["nats://me:hunter2@a:4222,b:4222?replicas=3", "nats://***@a:4222,b:4222?replicas=***"],
    [
      "redis-sentinel://:hunter2@a:26379,[::1]:26379/0?group=main",
      "redis-sentinel://***@a:26379,[::1]:26379/0?group=***",
    ],
    ["postgres:me:hunter2@db/x", "***"],
  ])("shows no secret of a store with the URL %s", (store, shown) => {
    expect(parse(printConfig(resolveConfig({ store, streams: { a: {} } })))).toMatchObject({ store: shown });
  });

  test("reads back to the same options if it contains no secret", () => {
    const options = resolveConfig({
      listen: "[::1]:9000",
      trustProxy: ["10.0.0.0/8"],
      limits: { connectRate: "100/15m", memory: "2GiB", perAddress: 20 },
      access: {
        anonymous: { can: ["subscribe"], channels: ["public:*"] },
        authorize: { url: "http://127.0.0.1:9/", cache: "0s" },
        jwt: { jwks: "https://issuer.example/keys", issuer: "i", claims: { channels: "claim:tenant → tenant:{}" } },
      },
      streams: {
        a: {
          upstream: { urls: ["https://a/events", { url: "https://b/events", name: "spare" }], resume: { query: "id" } },
        },
        e: { webhook: { scheme: "none", event: ["header:x-type", "/type"], unverified: "accepted" } },
        b: { retention: { age: "none", events: 5 }, channel: "/a", heartbeat: 1_500, ids: "upstream" },
        c: { heartbeat: { interval: "5s", event: "beat" }, retry: "2s" },
        d: { heartbeat: { event: "beat" } },
      },
    });
    expect(resolveConfig(parse(printConfig(options)))).toEqual(options);
  });
});

test("a masked URL keeps its host, its path and the names of its query", () => {
  expect(maskUrl("http://h:1/p?a=b&c=d&a=e")).toBe("http://h:1/p?a=***&c=***&a=***");
  expect(maskUrl("http://h/p?token")).toBe("http://h/p?***");
  expect(maskUrl("http://u@h/p")).toBe("http://***@h/p");
});

test.each([
  ["source.example/events?api-key=hunter2", "https://source.example/events?api-key=***"],
  ["me:hunter2@source.example:8443/events", "https://***@source.example:8443/events"],
  ["localhost:9090/events", "http://localhost:9090/events"],
  ["192.0.2.7", "https://192.0.2.7/"],
])("a URL without a scheme is described with its correct form: %s", (written, meant) => {
  const shown = meant.replace(/https?:\/\//, "");
  expect(describeUrl(written)).toBe(`"${shown}", which has no scheme; write ${meant}`);
});

test.each(["hunter2", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWE"])(
  "a key in the place of a URL is not shown: %s",
  (key) => expect(describeUrl(key)).toBe("a string (not shown)"),
);

describe("an error shows no secret", () => {
  const misplaced: readonly [title: string, yaml: string][] = [
    ["a URL that is none", `streams: { a: { upstream: { url: "${secret}" } } }`],
    ["a URL of another scheme", `streams: { a: { upstream: { url: "ftp://${secret}" } } }`],
    ["a list of URLs that is none", `streams: { a: { upstream: { urls: "${secret}" } } }`],
    ["a named URL that is none", `streams: { a: { upstream: { urls: [{ url: "${secret}" }] } } }`],
    ["headers as text", `streams: { a: { upstream: { url: "http://a", headers: "${secret}" } } }`],
    ["a header over two lines", `streams: { a: { upstream: { url: "http://a", headers: { a: "${secret}\\nb" } } } }`],
    [
      "a header line as a name",
      `streams: { a: { upstream: { url: "http://a", headers: { "authorization: ${secret}": "" } } } }`,
    ],
    ["a key that is no PEM", `streams: { a: { upstream: { url: "http://a", tls: { key: "${secret}" } } } }`],
    ["a proxy that is none", `streams: { a: { upstream: { url: "http://a", proxy: "socks://${secret}@h" } } }`],
    ["a URL in the place of a section", `streams: { a: { upstream: "https://u:${secret}@h" } }`],
    ["a URL in the place of a key", `streams: { a: { upstream: { "https://h?key=${secret}" } } }`],
    ["a URL in the place of a stream's name", `streams: { "https://h?key=${secret}": {} }`],
    ["a store that is unknown", `store: "mongodb://u:${secret}@h"\nstreams: { a: {} }`],
    ["a store without a scheme", `store: "u:${secret}@h/x"\nstreams: { a: {} }`],
    ["an alias that is none", `streams: { a: { upstream: { url: *${secret} } } }`],
    ["a tag that is none", `streams: { a: { upstream: { url: !${secret} } } }`],
    ["an escape that is none", `streams: { a: { upstream: { url: "\\q${secret}" } } }`],
    ["a text without its end", `streams: { a: { upstream: { url: "${secret} } } }`],
    ["text after a text", `streams: { a: { upstream: { url: "a" ${secret} } } }`],
    ["a block header that is none", `streams: { a: 1 }\ndrain: |${secret}\n  a`],
    ["a directive that is none", `%YAML ${secret}\n---\nstreams: { a: {} }`],
  ];

  test.each(misplaced)("of %s", (_title, yaml) => {
    const error = catchConfigError(() => {
      const { input, source } = readYaml(yaml, "c.yaml", {});
      resolveConfig(input, source);
    });
    expect(
      [error.message, error.stack, error.got, error.expected, error.field, JSON.stringify(error)].join(),
    ).not.toContain(secret);
  });
});

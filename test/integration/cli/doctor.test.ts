import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../../src/doctor/check.ts";
import {
  caddyTo,
  compressing,
  delaying,
  endingAfter,
  haproxyTo,
  inBursts,
  nginxTo,
  resettingAfter,
  startHop,
  startNodeHop,
  startPlainSource,
  without,
  type Hop,
} from "../../support/hops.ts";
import { caddy } from "../../support/caddy.ts";
import { haproxy } from "../../support/haproxy.ts";
import { nginx } from "../../support/nginx.ts";
import { findProgram, warnMissing } from "../../support/programs.ts";
import { startReverseProxy } from "../../support/reverse-proxy.ts";
import { runCli, startCli, startServe, withDirectory, type CliResult } from "./cli.ts";

const missing = [nginx, haproxy, caddy].filter(({ name }) => findProgram(name) === undefined);
for (const { name } of missing) warnMissing(name, name);

let serve: Awaited<ReturnType<typeof startServe>>;

beforeAll(async () => {
  serve = await startServe(["--stream", "s", "--store", "memory:", "--anonymous", "subscribe,publish"]);
});

afterAll(async () => {
  serve.child.kill("SIGTERM");
  await serve.result;
});

const upstream = (): number => Number(new URL(serve.url).port);

interface Report {
  readonly code: number | null;
  readonly checks: readonly Check[];
  /** The check of a name; there is one. */
  of(name: string): Check;
}

/** The doctor's report on the stream at an address. */
async function examine(base: string, ...flags: readonly string[]): Promise<Report> {
  return reported(await runCli([...command(base), ...flags]));
}

function command(base: string): string[] {
  return ["doctor", `${base}/streams/s`, "--json", "--timeout", "10s", "--idle", "300ms"];
}

function reported({ code, stdout, stderr }: CliResult): Report {
  expect(stderr).toBe("");
  const checks = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Check);
  return { code, checks, of: (name) => checks.find((check) => check.name === name)! };
}

async function behind<T>(hop: Promise<Hop>, action: (hop: Hop) => Promise<T>): Promise<T> {
  const started = await hop;
  try {
    return await action(started);
  } finally {
    await started.close();
  }
}

/** Names of the checks that found something, with the outcome. */
function complaints({ checks }: Report): string[] {
  return checks.filter(({ outcome }) => outcome !== "ok").map(({ name, outcome }) => `${outcome} ${name}`);
}

test("a path without hops has no findings, and the report says that there are no hops", async () => {
  const report = await examine(serve.url, "--publish");
  expect([report.code, complaints(report)]).toEqual([0, []]);
  expect(report.of("hops").found).toBe("none: Spillway answers itself");
  expect(report.checks.map(({ name }) => name)).toEqual([
    "connection",
    "hops",
    "response",
    "response-headers",
    "header-delay",
    "buffering",
    "compression",
    "bursts",
    "idle",
  ]);
});

test("the listener is shown to clients that may read the status", () =>
  withDirectory(async (cwd) => {
    const flags = ["--stream", "s", "--store", "memory:", "--anonymous", "subscribe,admin", "--listener", "node"];
    const own = await startServe(flags, { cwd });
    try {
      expect((await examine(own.url)).of("listener")).toMatchObject({ outcome: "ok", found: "node (from /status)" });
    } finally {
      own.child.kill("SIGTERM");
      await own.result;
    }
  }));

describe.skipIf(missing.length > 0)("through real proxies", () => {
  const cleanHops = [
    ["nginx", () => startHop(nginx, nginxTo(upstream(), "")), "nginx"],
    ["HAProxy", () => startHop(haproxy, haproxyTo(upstream(), "timeout client 1h\n  timeout server 1h")), "HAProxy"],
    ["Caddy", () => startHop(caddy, caddyTo(upstream(), "", "flush_interval -1")), "Caddy"],
  ] as const;

  test.each(cleanHops)("a clean path through %s has no findings", (_name, start, found) =>
    behind(start(), async ({ url }) => {
      const report = await examine(url, "--publish");
      expect(complaints(report)).toEqual([]);
      expect(report.code).toBe(0);
      expect(report.of("hops").found).toContain(found);
      expect(report.of("bursts").found).toMatch(/^3 published events came one by one/);
      expect(report.of("idle").found).toMatch(/^open for/);
    }),
  );

  test("nginx with buffering is reported with its setting, and that it waits for a full buffer", () => {
    const directives = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    return behind(startHop(nginx, nginxTo(upstream(), directives, "1.0")), async ({ url }) => {
      await publish(200, "x".repeat(1_000));
      const report = await examine(url, "--timeout", "1s");
      expect(report.code).toBe(1);
      const { outcome, found, advice } = report.of("buffering");
      expect(outcome).toBe("fail");
      expect(found).toMatch(/of a longer answer \d+ bytes came at once, so it waits until a buffer is full/);
      expect(advice).toContain("nginx: proxy_buffering off");
    });
  });

  test("nginx with compression is reported with its setting", () => {
    const directives = "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 0;";
    return behind(startHop(nginx, nginxTo(upstream(), directives)), async ({ url }) => {
      const { outcome, found, advice } = (await examine(url, "--timeout", "1s")).of("compression");
      expect(outcome).not.toBe("ok");
      expect(found).toContain("Content-Encoding: gzip");
      expect(advice).toContain("nginx: gzip off");
    });
  });

  const cutters = [
    ["nginx", "proxy_read_timeout", () => startHop(nginx, nginxTo(upstream(), "proxy_read_timeout 1s;"))],
    [
      "HAProxy",
      "timeout server",
      () => startHop(haproxy, haproxyTo(upstream(), "timeout client 1h\n  timeout server 1s")),
    ],
  ] as const;

  test.each(cutters)("%s that closes silent streams is reported with its %s", (name, setting, start) =>
    behind(start(), async ({ url }) => {
      const report = await examine(url, "--idle", "60s");
      expect(complaints(report)).toEqual(["fail idle"]);
      expect(report.code).toBe(1);
      const { found, advice } = report.of("idle");
      expect(found).toMatch(/after the last byte, without a goodbye of the server$/);
      expect(advice).toContain(`${name}: ${setting}`);
      expect(advice).toContain("lower the stream's heartbeat");
    }),
  );

  test("Caddy with compression is reported with its setting", () => {
    const directives = "encode {\n    gzip\n    minimum_length 1\n    match header Content-Type text/*\n  }";
    return behind(startHop(caddy, caddyTo(upstream(), directives, "")), async ({ url }) => {
      const { outcome, advice } = (await examine(url, "--timeout", "1s")).of("compression");
      expect(outcome).not.toBe("ok");
      expect(advice).toContain("Caddy: encode");
    });
  });

  test.each([nginx, haproxy, caddy])("the configuration of deploy/ for $name has no findings, over HTTP/2", (kind) =>
    withDirectory(async (cwd) => {
      const proxy = await startReverseProxy(kind, { upstream: upstream(), idle: 60, perAddress: 10 });
      try {
        await writeFile(join(cwd, "ca.pem"), proxy.ca);
        const env = { NODE_EXTRA_CA_CERTS: join(cwd, "ca.pem") };
        const report = reported(await runCli([...command(proxy.url), "--publish"], { env }));
        expect([report.code, complaints(report)]).toEqual([0, []]);
        expect(report.of("connection").found).toMatch(/^HTTP\/2 over TLS/);
        expect(report.of("hops").found.toLowerCase()).toContain(kind.name);
      } finally {
        await proxy.close();
      }
    }),
  );
});

test("middleware that compresses and buffers is a failure", () =>
  behind(startNodeHop(upstream(), compressing(false)), async ({ url }) => {
    const { outcome, advice } = (await examine(url, "--timeout", "1s")).of("compression");
    expect(outcome).toBe("fail");
    expect(advice).toContain("no compression middleware for text/event-stream");
  }));

test("middleware that compresses and flushes is a warning", () =>
  behind(startNodeHop(upstream(), compressing(true)), async ({ url }) => {
    expect(complaints(await examine(url))).toEqual(["warn compression"]);
  }));

test("a source that is not a Spillway is also examined, and a silent one is kept open", async () => {
  await behind(startPlainSource(50), async ({ url }) => {
    const report = await examine(url, "--publish");
    expect([report.code, complaints(report)]).toEqual([0, []]);
  });
  await behind(startPlainSource(undefined), async ({ url }) => {
    const report = await examine(url, "--timeout", "1s");
    expect([report.code, complaints(report).filter((text) => !text.includes("header"))]).toEqual([
      0,
      ["warn buffering"],
    ]);
    expect(report.of("idle").found).toMatch(/^open for/);
  });
});

test("published events match the filter of the URL, and are sent with a separate key", async () => {
  for (const path of ["/a%20b", "?channels=a,b&events=trade", "/a?events=trade"]) {
    const report = reported(
      await runCli(["doctor", `${serve.url}/streams/s${path}`, "--json", "--idle", "10ms", "--publish"]),
    );
    expect(report.of("bursts").found).toMatch(/^3 published events came one by one/);
  }
  const refused = await examine(serve.url, "--publish-key", "spw_hunter2");
  expect(refused.of("bursts").found).toMatch(/^an event could not be published: status 401 credential-/);
  expect(JSON.stringify(refused.checks)).not.toContain("hunter2");
});

test("a hop that delays the headers is detected with a HEAD request that it does not delay", () =>
  behind(startNodeHop(upstream(), delaying(2_500)), async ({ url }) => {
    const { outcome, found, advice } = (await examine(url, "--timeout", "5s")).of("header-delay");
    expect(outcome).toBe("warn");
    expect(found).toMatch(/^headers only after \d.* though HEAD was answered after/);
    expect(advice).toContain("a Node.js server: send the headers before the first event");
  }));

test("events that arrive in bursts are detected, by published events and by the server's own times", () =>
  behind(startNodeHop(upstream(), inBursts(2_000)), async ({ url }) => {
    expect((await examine(url, "--timeout", "5s", "--publish")).of("bursts").outcome).toBe("warn");
    const report = examine(url, "--timeout", "5s", "--idle", "4500ms");
    const stop = keepPublishing(100);
    expect((await report).of("bursts").found).toMatch(/events, the delay of which varies by .* let go together$/);
    await stop();
  }));

test("a stream that ends properly but without a goodbye was ended by a hop", () =>
  behind(startNodeHop(upstream(), endingAfter(1_000)), async ({ url }) => {
    const report = await examine(url, "--idle", "60s");
    expect(complaints(report)).toEqual(["fail idle"]);
    expect(report.of("idle").found).toMatch(/^ended in order after .* without a goodbye of the server$/);
  }));

test("a reset connection is distinguished from one that ends", () =>
  behind(startNodeHop(upstream(), resettingAfter(500)), async ({ url }) => {
    const report = await examine(url, "--idle", "60s");
    expect(complaints(report)).toEqual(["fail idle"]);
    expect(report.of("idle").found).toContain("cut (ECONNRESET)");
  }));

test("a stream that the server ends with a goodbye is a warning with its reason", async () => {
  const other = await startServe(["--stream", "s", "--store", "memory:", "--anonymous", "subscribe,admin"]);
  try {
    const cli = startCli([...command(other.url), "--idle", "60s"]);
    await cli.until(({ stdout }) => stdout().includes('"compression"'));
    await expect.poll(() => fetch(`${other.url}/status`).then((answer) => answer.text())).toMatch(/"subscribers":1/);
    other.child.kill("SIGTERM");
    const report = reported(await cli.result);
    expect([report.code, complaints(report)]).toEqual([0, ["warn idle"]]);
    expect(report.of("idle").found).toContain("said goodbye (drain)");
  } finally {
    other.child.kill("SIGKILL");
    await other.result;
  }
});

test("headers that a hop removes are listed", () =>
  behind(
    startNodeHop(upstream(), without("cache-control", "spillway-resume", "x-accel-buffering")),
    async ({ url }) => {
      const report = await examine(url);
      expect(complaints(report)).toEqual(["warn response-headers"]);
      expect(report.of("response-headers").found).toBe(
        "missing: Cache-Control: no-cache, Cache-Control: no-transform, Spillway-Resume, X-Accel-Buffering",
      );
      expect(report.code).toBe(0);
    },
  ));

test("an address without a server is distinguished from one without a stream", async () => {
  const gone = await behind(
    startNodeHop(1, () => {}),
    (hop) => Promise.resolve(hop.url),
  );
  const nobody = await examine(gone);
  expect([nobody.code, complaints(nobody)]).toEqual([1, ["fail connection"]]);
  expect(nobody.of("connection").found).toContain("ECONNREFUSED");
  const unknown = await examine(`${serve.url}/nowhere`);
  expect([unknown.code, complaints(unknown)]).toEqual([1, ["fail response"]]);
  expect(unknown.of("response").found).toContain("404");
});

test("without --json each check is one line, and no line contains a secret of the URL", () =>
  withDirectory(async (cwd) => {
    const url = `${serve.url}/streams/s?tenant=hunter2`;
    const { code, stdout } = await runCli(["doctor", url, "--idle", "10ms"], { cwd });
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(9);
    for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^(ok|warn|fail) +[a-z.-]+ +\S/);
    expect(stdout).not.toContain("hunter2");
  }));

async function publish(count: number, data: string): Promise<void> {
  const body = JSON.stringify(Array.from({ length: count }, () => ({ data })));
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${serve.url}/streams/s/events`, { method: "POST", headers, body });
  expect(response.status).toBe(200);
}

/** Publishes an event per interval, in ms, until the returned function is called. */
function keepPublishing(ms: number): () => Promise<void> {
  const stopping = new AbortController();
  const done = (async () => {
    while (!stopping.signal.aborted) {
      await publish(1, "x");
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  })();
  return async () => {
    stopping.abort();
    await done;
  };
}

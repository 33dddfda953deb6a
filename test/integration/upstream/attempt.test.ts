import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ScriptedResponse } from "../../support/numbered-upstream.js";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { probe, source, upTo } from "./support.ts";
import { patience } from "../../support/patience.ts";

const secret = "s3cret";
const keys = { "Authorization": `Bearer ${secret}`, "Cookie": `s=${secret}`, "X-Api-Key": secret };

describe("a request", () => {
  test("states what it accepts and sends the user's headers, which take precedence", async () => {
    const origin = await source();
    const { upstream, untilState } = probe(origin.url, { headers: { ...keys, "cache-control": "no-store" } });
    upstream.start();
    await untilState("open");
    expect(origin.state().connections[0]!.headers).toMatchObject({
      "accept": "text/event-stream",
      "accept-encoding": "identity",
      "authorization": `Bearer ${secret}`,
      "cache-control": "no-store",
      "cookie": `s=${secret}`,
      "x-api-key": secret,
    });
  });

  test("can be a POST with a body", async () => {
    const origin = await source();
    const headers = { "Content-Type": "application/json" };
    const { upstream, untilState } = probe(origin.url, { method: "POST", body: '{"q":"ü"}', headers });
    upstream.start();
    await untilState("open");
    const [{ method, body, headers: sent }] = origin.state().connections as [never];
    expect({ method, body, type: sent["content-type"] }).toEqual({
      method: "POST",
      body: '{"q":"ü"}',
      type: "application/json",
    });
  });

  test.each(["REPORT", "QUERY", "PUT"])("can be a %s with a body", async (method) => {
    const origin = await source();
    const { upstream, untilState } = probe(origin.url, { method, body: "<sync/>" });
    upstream.start();
    await untilState("open");
    expect(origin.state().connections).toMatchObject([{ method, body: "<sync/>" }]);
  });

  test("calls the headers function at every attempt", async () => {
    const origin = await source({ dropEvery: 1 });
    let asked = 0;
    const { upstream, untilDelivered } = probe(origin.url, {
      headers: () => Promise.resolve({ authorization: `token ${++asked}` }),
    });
    upstream.start();
    origin.control({ emit: 3 });
    await untilDelivered(3);
    const sent = origin.state().connections.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(["token 1", "token 2", "token 3"]);
  });

  test.each([
    [
      "throws",
      (): never => {
        throw new Error(secret);
      },
    ],
    ["rejects", () => Promise.reject(Object.assign(new Error(secret), { code: secret }))],
    ["hangs", () => new Promise<never>(() => {})],
    ["gives a header that cannot be sent", () => ({ "x-key": `${secret}\n` })],
  ])("counts as failed if the headers function %s, and is repeated", async (_case, first) => {
    const origin = await source();
    let asked = 0;
    const { upstream, lines, untilFailure, untilState } = probe(origin.url, {
      headers: () => (asked++ === 0 ? first() : {}),
      timeouts: { connect: patience, headers: 50, idle: patience },
    });
    upstream.start();
    expect(await untilFailure()).toBe("upstream-connect");
    await untilState("open");
    // Where the machine is busy, the source itself may be too late for an attempt or two.
    expect(origin.state().connections).toHaveLength(asked - 1);
    expect(JSON.stringify(lines)).not.toContain(secret);
  });
});

describe("a response that is not an event stream", () => {
  const cases: [string, ScriptedResponse, object][] = [
    ["upstream-status", { status: 500 }, { status: 500 }],
    ["upstream-status", { status: 404, body: secret }, { status: 404 }],
    ["upstream-status", { status: 206 }, { status: 206 }],
    ["upstream-status", { status: 304 }, { status: 304 }],
    [
      "upstream-content-type",
      { headers: { "content-type": "text/html" }, body: secret, then: "silence" },
      { status: 200 },
    ],
    ["upstream-content-type", { headers: {} }, { status: 200 }],
    [
      "upstream-content-type",
      { headers: { "content-type": "text/event-stream", "content-encoding": "gzip" } },
      { status: 200 },
    ],
    ["upstream-redirect", { status: 302 }, { status: 302 }],
    ["upstream-redirect", { status: 302, headers: { location: `ftp://${secret}/` } }, { status: 302 }],
    ["upstream-timeout", { hang: true }, {}],
  ];

  test.each(cases)("is %s: %j; the next attempt finds the stream", async (code, response, details) => {
    const origin = await source();
    origin.control({ next: [response], emit: 2 });
    const { upstream, lines, numbers, untilFailure, untilDelivered } = probe(`${origin.url}?key=${secret}`, {
      headers: keys,
      // Long enough for the second attempt, on a busy machine too.
      timeouts: { connect: patience, headers: "hang" in response ? 1000 : patience, idle: patience },
    });
    upstream.start();
    expect(await untilFailure()).toBe(code);
    expect(lines[0]).toMatchObject({ level: "warn", fields: { target: "a", code, attempt: 1, ...details } });
    expect(lines[0]!.fields["delay"]).toEqual(expect.any(Number));
    await untilDelivered(2);
    expect(numbers()).toEqual(upTo(2));
    expect(upstream.status()).toMatchObject({ state: "open", errors: 1, reconnects: 1, lastError: code });
    expect(JSON.stringify([lines, upstream.status()])).not.toMatch(/s3cret|127\.0\.0\.1/);
    expect(origin.state().sockets).toBe(1);
  });

  test("with status 204 stops the upstream until it is stopped and started", async () => {
    const origin = await source();
    origin.control({ next: [{ status: 204 }] });
    const { upstream, states, untilState } = probe(origin.url);
    upstream.start();
    await untilState("stopped");
    upstream.start();
    expect(states.map(({ state }) => state)).toEqual(["connecting", "stopped"]);
    await eventually(() => origin.state().sockets === 0);
    await upstream.stop();
    upstream.start();
    await untilState("open");
    expect(origin.state().connections).toHaveLength(2);
  });

  test("but is not HTTP at all counts as a failed connection", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("220 smtp ready\r\n"));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { upstream, untilFailure } = probe(`http://127.0.0.1:${portOf(server)}/`);
    upstream.start();
    expect(await untilFailure()).toBe("upstream-connect");
  });
});

test("an unreachable target is upstream-connect with the system's code", async () => {
  const origin = await source();
  await origin.close();
  const { upstream, lines, untilFailure } = probe(origin.url);
  upstream.start();
  expect(await untilFailure()).toBe("upstream-connect");
  expect(lines[0]!.fields["reason"]).toBe("ECONNREFUSED");
});

test.each([
  ["http", "end"],
  ["http", "resetAndDestroy"],
  ["https", "end"],
  ["https", "resetAndDestroy"],
] as const)("a target that closes the connection at once (%s, %s) is called once per attempt", async (scheme, how) => {
  let calls = 0;
  const server = createServer((socket) => {
    calls++;
    socket.on("error", () => {})[how]();
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { upstream, lines } = probe(`${scheme}://127.0.0.1:${portOf(server)}/`);
  upstream.start();
  await eventually(() => lines.length >= 4);
  await upstream.stop();
  expect(new Set(lines.map(({ fields }) => fields["code"]))).toEqual(new Set(["upstream-connect"]));
  expect(calls).toBeLessThanOrEqual(lines.length + 1);
});

test.each(["Retry-After", "retry:"])("the delay that the source requests by %s is respected", async (by) => {
  const origin = await source({ retry: by === "retry:" ? 120_000 : undefined, dropEvery: 1 });
  if (by === "Retry-After") origin.control({ next: [{ status: 503, headers: { "retry-after": "120" } }] });
  origin.control({ emit: 2 });
  const { upstream, untilState } = probe(origin.url);
  upstream.start();
  await untilState("waiting");
  const wait = upstream.status().retryAt! - Date.now();
  expect(wait).toBeGreaterThan(110_000);
  expect(wait).toBeLessThanOrEqual(300_000);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { redact } from "../../../src/util/redact.ts";
import { portOf } from "../../support/ports.ts";
import { eventually, read } from "../../support/reader.ts";
import { startServe, withDirectory } from "../cli/cli.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Secrets of each kind, which all contain this word. */
const word = "hunter2";
const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ${word}In0.${word}-signature`;
const key = `spw_${word}`;

test.each([
  ["a header", { authorization: `Bearer ${word}` }],
  ["a header in capitals", { Authorization: `Basic ${word}`, Cookie: `sid=${word}; a="${word}"` }],
  [
    "headers of other kinds",
    { "x-api-key": word, "set-cookie": [`a=${word}]`, `b=${word}`], "proxy-authorization": word },
  ],
  ["headers deep in an object", { a: { b: { c: { d: { headers: { cookie: word } } } } } }],
  ["a list of headers, as Node keeps it raw", ["Host", "a", "Cookie", `sid=${word}`, "X-Api-Key", word]],
  ["names of secrets", { apiKey: word, api_key: word, accessToken: word, password: word, ticket: word, secret: word }],
  ["a URL with a query", { url: `https://feed.example/events?anything=${word}&b=${word}` }],
  [
    "a URL with a user and a password",
    { store: `postgres://me:${word}@db.example/x`, a: `https://${word}@b.example/` },
  ],
  ["a path with a ticket", { path: `/streams/prices?channels=a&ticket=${word}&after=now` }],
  ["a key", { message: `the key ${key} is not known` }],
  ["a token", [jwt, { text: `token ${jwt}, again ${jwt}` }]],
  [
    "a header's line in a text",
    { stack: `Error: sent\nCookie: sid=${word}; b=${word}\nAccept: x\n${key}\nhttps://a.example/?b=${word}` },
  ],
  ["a request's text", { raw: `GET / HTTP/1.1\r\nAuthorization: Bearer ${word}\r\nHost: a\r\n` }],
  ["JSON inside of a text", { body: JSON.stringify({ ticket: word, password: word }) }],
])("%s is printed without its secret, and stays JSON", (_, fields) => {
  const line = redact(JSON.stringify({ fields }));
  expect(line).not.toContain(word);
  expect(JSON.parse(line)).toHaveProperty("fields");
  expect(line).toContain("[redacted]");
});

test("values that are not secrets are printed unchanged", () => {
  const line = JSON.stringify({
    level: "info",
    address: "http://127.0.0.1:8080",
    subject: "key:web",
    stream: "prices",
    reason: "token-expired",
    cookieCount: 3,
    path: "/streams/prices?after=now&channels=btc-usd",
    store: "sqlite",
    stack: "at file:///srv/spillway/dist/cli/main.js:1:2",
  });
  expect(redact(line)).toBe(line);
});

test("objects that are logged by mistake do not show their secrets", async () => {
  const program = `
    import { createServer, request } from "node:http";
    import { createLogger } from ${JSON.stringify(pathToFileURL(join(root, "dist/cli/logger.js")).href)};
    const logger = createLogger("debug");
    const headers = { authorization: "Bearer ${word}", cookie: "sid=${word}", "x-api-key": "${key}" };
    const server = createServer((req, res) => {
      logger.info({ req, res }, "a request");
      logger.warn({ request: req, anything: { req } }, "another name");
      logger.error({ err: Object.assign(new Error("GET https://me:${word}@a.example/?key=${word}"), { request: req, headers: req.headers, cause: new Error("Bearer ${word}") }) }, "an error");
      logger.debug({ headers: req.headers, raw: req.rawHeaders, url: req.url, err: { token: "${jwt}" } }, "Authorization: Bearer ${word}");
      res.end(() => server.close());
    }).listen(0, "127.0.0.1", () => {
      request({ port: server.address().port, path: "/streams/a?ticket=${word}", headers: { ...headers, connection: "close" } }).end();
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const lines = stdout.trim().split("\n");
  expect(stderr).toBe("");
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty("msg");
  expect(stdout).not.toContain(word);
  expect(JSON.parse(lines[0]!)).toMatchObject({ req: { method: "GET", path: "/streams/a" } });
});

test("a running gateway logs no credential of its clients and none of its own", () =>
  withDirectory(async (cwd) => {
    const source = createServer((request, response) => {
      expect(request.url).toContain(word);
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      setTimeout(() => response.destroy(), 50);
    }).listen(0, "127.0.0.1");
    await once(source, "listening");
    const upstream = `http://user:${word}@127.0.0.1:${portOf(source)}/events?api-key=${word}`;
    await writeFile(
      join(cwd, "spillway.json"),
      JSON.stringify({
        store: "memory:",
        access: { anonymous: ["subscribe", "publish", "admin"], jwt: { secret: `${word}-and-so-on-0123456789abcdef` } },
        streams: {
          feed: { upstream: { url: upstream, headers: { "x-api-key": word }, backoff: { min: 10, max: 20 } } },
        },
      }),
    );
    const cli = await startServe(["--config", "spillway.json", "--log-level", "debug"], { cwd });
    const shown: readonly Readonly<Record<string, string>>[] = [
      { authorization: `Bearer ${key}` },
      { authorization: `Bearer ${jwt}` },
      { "authorization": `Basic ${word}`, "x-api-key": key },
      { cookie: `session=${word}`, origin: "https://page.example" },
    ];
    for (const headers of shown) {
      for (const path of [
        "/streams/feed",
        `/streams/feed?ticket=${word}`,
        `/streams/feed?api_key=${key}`,
        "/status",
        "/metrics",
      ]) {
        const response = await fetch(cli.url + path, { headers: { accept: "text/event-stream", ...headers } });
        await response.body?.cancel();
      }
      await fetch(`${cli.url}/streams/feed/events?ticket=${word}`, {
        method: "POST",
        headers,
        body: `{"data":"${word}"`,
      });
    }
    await cli.until(({ stdout }) => stdout().includes('"upstream-ended"'));
    cli.child.kill("SIGTERM");
    const { code, stdout, stderr } = await cli.result;
    source.closeAllConnections();
    source.close();
    expect(code).toBe(0);
    expect(stdout).toContain('"upstream open"');
    expect(stdout + stderr).not.toContain(word);
    for (const line of stdout.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
  }));

test("the end of a subscription is logged in one line with client, duration, amount and reason; events are not logged", async () => {
  const cli = await startServe(["--stream", "chat", "--store", "memory:", "--anonymous", "subscribe,publish"]);
  const url = `${cli.url}/streams/chat`;
  const publish = (data: string): Promise<Response> =>
    fetch(`${url}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ data }),
    });
  const reading = read(await fetch(url));
  await reading.until(({ events }) => events.length > 0);
  for (const data of ["a", "b", "c"]) await publish(data);
  await reading.until(() => reading.data().length === 3);
  const lines = (): Record<string, unknown>[] =>
    cli
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const before = lines().length;
  await reading.cancel();
  await eventually(() => lines().length > before, "a line");
  expect(lines().slice(before)).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      subject: "anonymous",
      address: "127.0.0.1",
      stream: "chat",
      duration: expect.any(Number),
      events: 3,
      bytes: expect.any(Number),
      reason: "client",
      msg: "subscription ended",
    },
  ]);
  const { duration, bytes } = lines()[before] as { duration: number; bytes: number };
  expect(duration).toBeGreaterThanOrEqual(0);
  expect(bytes).toBeGreaterThan(100);
  expect(before).toBe(1);
  const last = read(await fetch(url));
  await last.until(({ events }) => events.length > 0);
  cli.child.kill("SIGTERM");
  await cli.result;
  expect(
    lines()
      .filter(({ msg }) => msg === "subscription ended")
      .map(({ reason }) => reason),
  ).toEqual(["client", "drain"]);
});

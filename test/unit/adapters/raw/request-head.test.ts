import fc from "fast-check";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPlainRequest } from "../../../../src/adapters/raw/request-head.ts";
import { portOf } from "../../../support/ports.ts";

/** The first request that Node's own parser reads from the bytes, or nothing. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

let server: Server;
let seen: Seen[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ method: request.method!, target: request.url!, headers: request.headers });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function askNode(bytes: Buffer): Promise<readonly Seen[]> {
  seen = [];
  const socket = connect(portOf(server), "127.0.0.1");
  socket.end(bytes);
  socket.resume().on("error", () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  return seen;
}

const get = "GET /streams/s HTTP/1.1\r\nHost: x\r\n";

test("a plain GET or HEAD is read", () => {
  expect(readPlainRequest(Buffer.from("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"))).toMatchObject({ method: "HEAD" });
  const head = readPlainRequest(Buffer.from(`${get}Accept: text/event-stream\r\nX:  b \r\n\r\n`));
  expect(head).toMatchObject({ method: "GET", target: "/streams/s" });
  expect([...head!.headers]).toEqual([
    ["host", "x"],
    ["accept", "text/event-stream"],
    ["x", "b"],
  ]);
});

test.each([
  ["a head that is not complete", get],
  ["bytes behind the head", `${get}\r\nGET`],
  ["a second request", `${get}\r\n${get}\r\n`],
  ["another method", "POST /streams/s HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["HTTP/1.0", "GET /streams/s HTTP/1.0\r\nHost: x\r\n\r\n"],
  ["an absolute target", "GET http://x/streams/s HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["no host", "GET /streams/s HTTP/1.1\r\nAccept: a\r\n\r\n"],
  ["two hosts", `${get}Host: y\r\n\r\n`],
  ["a host that is none", "GET /streams/s HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["two cookies", `${get}Cookie: a=1\r\nCookie: b=2\r\n\r\n`],
  ["a header that is repeated in another case", `${get}Authorization: a\r\naUTHORIZATION: b\r\n\r\n`],
  ["a body", `${get}Content-Length: 1\r\n\r\n`],
  ["a chunked body", `${get}Transfer-Encoding: chunked\r\n\r\n`],
  ["an upgrade", `${get}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`],
  ["an expectation", `${get}Expect: 100-continue\r\n\r\n`],
  ["a connection to be closed", `${get}Connection: close\r\n\r\n`],
  ["a folded line", `${get}X: a\r\n b\r\n\r\n`],
  ["a space before the colon", `${get}X : a\r\n\r\n`],
  ["a bare LF", "GET /streams/s HTTP/1.1\nHost: x\r\n\r\n"],
  ["a bare CR", `${get}X: a\rb\r\n\r\n`],
  ["a NUL", `${get}X: a\0b\r\n\r\n`],
  ["a very long head", `${get}X: ${"a".repeat(9000)}\r\n\r\n`],
])("%s is left to Node", (_, text) => {
  expect(readPlainRequest(Buffer.from(text, "latin1"))).toBeUndefined();
});

test("every request that it reads is the same in Node: one GET or HEAD, with the same target and the same headers", async () => {
  const plain = fc.constantFrom(...Array.from("aZ9:;,/?%=&-_ \t\u0080\u00ff"));
  const odd = fc.constantFrom(...Array.from(" \r\n\0\u007f"));
  const unit = fc.oneof({ weight: 30, arbitrary: plain }, { weight: 1, arbitrary: odd });
  const text = fc.string({ unit, maxLength: 8 });
  const known = fc.constantFrom("Accept", "X-b", "X-a", "Origin", "Host", "Connection", "Cookie", "Content-Length");
  const name = fc.oneof({ weight: 4, arbitrary: known }, { weight: 1, arbitrary: text });
  const line = fc.tuple(
    name,
    fc.constantFrom(":", ": ", ": ", ": ", " : ", ""),
    text,
    fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", ""),
  );
  const request = fc.tuple(
    fc.constantFrom("GET ", "GET ", "GET ", "HEAD ", "GET  ", "POST "),
    fc.oneof(
      fc.constant("/streams/s"),
      text.map((rest) => `/${rest}`),
    ),
    fc.constantFrom(" HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n"),
    fc.constantFrom("Host: x\r\n", "Host: x\r\n", "Host: x\r\n", ""),
    fc.array(line, { maxLength: 4 }),
    fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "", "\r\nGET / HTTP/1.1\r\n\r\n"),
  );
  let read = 0;
  await fc.assert(
    fc.asyncProperty(request, async ([method, target, version, host, lines, end]) => {
      const bytes = Buffer.from(method + target + version + host + lines.flat().join("") + end, "latin1");
      const head = readPlainRequest(bytes);
      if (!head) return;
      read++;
      const requests = await askNode(bytes);
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatchObject({ method: head.method, target: head.target });
      for (const [key, value] of Object.entries(requests[0]!.headers)) {
        expect(head.headers.get(key)).toBe(value);
      }
    }),
    { numRuns: 2000 },
  );
  expect(read).toBeGreaterThan(50);
});

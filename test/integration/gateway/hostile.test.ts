import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, test } from "vitest";
import fc from "fast-check";
import { createGateway, type Gateway } from "spillway";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const certificate = selfSigned();

let plain: Gateway;
let secure: Gateway | undefined;
const ports = { plain: 0, secure: 0 };

async function open(tls: boolean): Promise<Gateway> {
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: { s: {} },
    limits: { timeouts: { headers: "2s", body: "2s" } },
    ...(tls ? { tls: certificate } : {}),
  });
  const { port } = await gateway.listen();
  ports[tls ? "secure" : "plain"] = port;
  return gateway;
}

afterEach(async () => {
  await plain.close();
  await secure?.close();
  secure = undefined;
});

/** Text in which each character is a byte. */
const bytes = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)), maxLength });

const method = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE") },
  fc.constantFrom("get", "BREW", "", "G ET", "PRI", "G\0T", "POST\t", "X".repeat(300)),
);

const target = fc.oneof(
  fc.constantFrom("/streams/s", "/streams/s/events", "/streams", "/status", "/api/sse", "/healthz", "/"),
  fc.constantFrom(
    "",
    "*",
    "//",
    "/%",
    "/streams/%ff%fe",
    "/streams/%00",
    "http://",
    "http://x/%zz",
    "../..",
    "/streams//events",
  ),
  fc
    .constantFrom("?last=-1", "?after=%", "?since=x", "?channels=,,", "?wait=9e9", "?last-event-id=%00")
    .map((query) => `/streams/s${query}`),
  fc.constantFrom(`/${"a".repeat(9000)}`, `/streams/${"%41".repeat(3000)}`, `/${"b".repeat(70_000)}`),
  bytes(40).map((text) => `/${text}`),
);

const version = fc.oneof(
  { weight: 6, arbitrary: fc.constant("HTTP/1.1") },
  fc.constantFrom("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "HTP/1.1", "http/1.1", "", "HTTP/1.1 "),
);

const header = fc.oneof(
  fc.constantFrom(
    "Host: localhost",
    "Host: localhost",
    "Accept: text/event-stream",
    "Accept: application/json",
    "Accept: q=;;,",
    "Connection: close",
  ),
  fc.constantFrom(
    "Content-Type: application/json",
    "Content-Type: text/plain",
    "Content-Type: ;",
    "Last-Event-ID: \xff",
  ),
  fc.constantFrom(
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 1, 2",
    "Content-Length: 99999999999999999999",
  ),
  fc.constantFrom(
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, x",
    "Expect: 100-continue",
    "Expect: x",
  ),
  fc.constantFrom(
    "Upgrade: h2c",
    "Connection: upgrade",
    "Idempotency-Key: \t",
    "Origin: null",
    "Authorization: Bearer",
    "Cookie: ==;",
  ),
  fc.constantFrom(
    " folded: yes",
    ": nameless",
    "no colon",
    "a b: c",
    `long: ${"x".repeat(20_000)}`,
    `${"n".repeat(9000)}: x`,
  ),
  bytes(30),
);

const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  fc.constantFrom(
    "hello",
    "{",
    '{"data":',
    "[]",
    "[[[[",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhel",
    "zz\r\n",
    "ffffffffffffffff\r\n",
    "-1\r\n",
  ),
  bytes(60),
);

const lineEnd = fc.oneof({ weight: 8, arbitrary: fc.constant("\r\n") }, fc.constantFrom("\n", "\r", "\r\r\n", "\0"));

const request = fc
  .tuple(method, target, version, fc.array(header, { maxLength: 6 }), body, lineEnd)
  .map(([verb, path, protocol, headers, content, end]) =>
    [`${verb} ${path} ${protocol}`, ...headers, "", content].join(end),
  );

/** Requests that a parser accepts and a gateway refuses: each gets a response, and the connection stays open. */
const wrongRequest = fc
  .record({
    verb: fc.constantFrom("GET", "POST", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND"),
    path: fc.oneof(
      fc.constantFrom(
        "/",
        "*",
        "//",
        "/%",
        "/streams/",
        "/streams/%ff%fe",
        "/streams/%00",
        "/streams/none",
        "/status/x",
      ),
      fc
        .constantFrom("?last=-1", "?since=x", "?after=1&last=2", "?last=1e9", "?last=", "?on-gap=x", "?limit=0")
        .map((query) => `/streams/s${query}`),
      fc.webPath().map((path) => `/x${path}`),
      fc.constant("/streams/s/events"),
    ),
    accept: fc.constantFrom("image/png", "application/json", ";;,q", "text/event-stream;q=0"),
    type: fc.constantFrom(
      "application/json",
      "text/plain",
      "image/png",
      ";",
      "application/x-ndjson",
      "text/event-stream",
    ),
    key: fc.constantFrom("a", "\t", "\xff", "k".repeat(300)),
    content: fc.oneof(fc.constantFrom("", "{", "[[", "null", '{"data":1,"event":"spillway.x"}', "data"), bytes(60)),
  })
  .map(
    ({ verb, path, accept, type, key, content }) =>
      `${verb} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\nContent-Type: ${type}\r\n` +
      `Idempotency-Key: ${key}\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
  );

/** The content of one connection: invalid requests one after the other, and finally bytes that may end it. */
interface Pipeline {
  readonly wrong: readonly string[];
  readonly broken: string;
}

const pipeline: fc.Arbitrary<Pipeline> = fc.record({
  wrong: fc.array(wrongRequest, { minLength: 4, maxLength: 16 }),
  broken: fc.array(request, { minLength: 1, maxLength: 3 }).map((requests) => requests.join("")),
});

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const settings = "\0\0\0\x04\0\0\0\0\0";
/** HPACK (RFC 7541): GET, https, a path of length 10, an authority. */
const goodHeaders = "\x82\x87\x44\x0a/streams/s\x41\x01x";

const frame = fc
  .tuple(
    fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 255 })),
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0, 1, 1, 2, 3, 5, 0x7fffffff),
    fc.oneof(bytes(40), fc.constant(goodHeaders), fc.constant("\0\0\0\0"), fc.constant("\x7f\xff\xff\xff")),
    fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 16_000_000)),
  )
  .map(([type, flags, stream, payload, lie]) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(Math.max(0, payload.length + lie), 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return head.toString("latin1") + payload;
  });

/** The content of one HTTP/2 connection. */
const session = fc
  .tuple(
    fc.constantFrom(preface + settings, preface + settings, preface, ""),
    fc.array(frame, { minLength: 10, maxLength: 30 }),
  )
  .map(([opening, frames]) => opening + frames.join(""));

/** Sends everything and ends; resolves to the response once the connection is closed. */
function send(socket: Socket, text: string): Promise<string> {
  return carry(socket, { wrong: [], broken: text });
}

/** Sends the malformed part after the responses to the rest, because it would destroy them otherwise. */
function carry(socket: Socket, { wrong, broken }: Pipeline): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const goOn = (): void => {
      if (statusesOf(text).length >= wrong.length && socket.writable) socket.end(broken, "latin1");
    };
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      goOn();
    });
    socket.on("error", () => {}).once("close", () => resolve(text));
    socket.write(wrong.join(""), "latin1");
    goOn();
  });
}

function statusesOf(text: string): string[] {
  return Array.from(text.matchAll(/HTTP\/1\.1 (?!100)(\d{3}) [A-Z]/g), ([, status]) => status!);
}

const toPlain = (): Socket => connectTcp(ports.plain, "127.0.0.1");
const toSecure = (...protocols: string[]): Socket =>
  connectTls({ port: ports.secure, host: "127.0.0.1", ca: certificate.cert, ALPNProtocols: protocols });

/** Somebody who gets on with its work meanwhile. */
async function subscribe(
  gateway: Gateway,
): Promise<{ publish(): Promise<void>; reading: Reading; check(): Promise<void> }> {
  const reading = read(await gateway.fetch(new Request("http://x/streams/s?events=mine")));
  await reading.until(({ events }) => events.length === 1);
  let count = 0;
  const publish = async (): Promise<void> => {
    await gateway.publish("s", { event: "mine", data: String(count++) });
  };
  const check = async (): Promise<void> => {
    await reading.until(() => reading.data().length === count);
    expect(reading.data()).toEqual(Array.from({ length: count }, (_, n) => String(n)));
    await eventually(() => subscribers(gateway) === 1, "the end of all other subscriptions");
  };
  return { publish, reading, check };
}

function subscribers(gateway: Gateway): number {
  return gateway.status().streams["s"]!.subscribers;
}

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => /TCPSocket|TLS/.test(name)).length;

/** Bytes that are in use. */
function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test("10,000 malformed requests do no harm", async () => {
  plain = await open(false);
  const bystander = await subscribe(plain);
  const sockets = openSockets();
  const statuses: Record<string, number> = {};
  const answered = (): number => Object.values(statuses).reduce((sum, count) => sum + count, 0);
  const attack = async (pipelines: readonly Pipeline[]): Promise<void> => {
    const answers = await Promise.all(pipelines.map((requests) => carry(toPlain(), requests)));
    for (const status of answers.flatMap(statusesOf)) statuses[status] = (statuses[status] ?? 0) + 1;
    await bystander.publish();
  };
  const round = fc.array(pipeline, { minLength: 50, maxLength: 50 });
  await fc.assert(fc.asyncProperty(round, attack), { numRuns: 5, endOnFailure: true });
  await bystander.check();
  const used = memory();
  while (answered() < 10_000) await attack(fc.sample(pipeline, 50));
  await bystander.check();
  await eventually(() => openSockets() === sockets, "the end of all connections");
  expect(memory() - used).toBeLessThan(16 * 1024 * 1024);
  expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["400", "404", "405", "406", "414", "415", "431"]));
  // An unknown method.
  expect(Object.keys(statuses).filter((status) => status.startsWith("5"))).toEqual(["501"]);
});

test("garbage over TLS and in frames of HTTP/2 does no harm", async () => {
  plain = await open(false);
  secure = await open(true);
  const bystander = await subscribe(secure);
  const sockets = openSockets();
  let used = 0;
  for (let n = 0; n < 12; n++) {
    const sessions = fc.sample(session, 20).map((frames) => send(toSecure("h2"), frames));
    const pipelines = fc.sample(pipeline, 10).map((requests) => carry(toSecure("http/1.1"), requests));
    const handshakes = fc.sample(bytes(300), 10).map((text) => send(connectTcp(ports.secure, "127.0.0.1"), text));
    await Promise.all([...sessions, ...pipelines, ...handshakes]);
    await bystander.publish();
    if (n === 2) used = memory();
  }
  await bystander.check();
  await eventually(() => openSockets() === sockets, "the end of all connections");
  expect(memory() - used).toBeLessThan(16 * 1024 * 1024);
});

test("a request that is too large gets an error that names the part", async () => {
  plain = await open(false);
  const head = "Host: localhost\r\nAccept: text/event-stream\r\n";
  const answers = await Promise.all([
    send(toPlain(), `GET /streams/s?x=${"a".repeat(9000)} HTTP/1.1\r\n${head}\r\n`),
    send(toPlain(), `GET /streams/s?x=${"a".repeat(40_000)} HTTP/1.1\r\n${head}\r\n`),
    send(toPlain(), `GET /streams/s HTTP/1.1\r\n${head}a: ${"b".repeat(17_000)}\r\n\r\n`),
    send(toPlain(), `GET /streams/s HTTP/1.1\r\n${head}a: ${"b".repeat(40_000)}\r\n\r\n`),
  ]);
  const statuses = answers.map((answer) => answer.slice(0, 12));
  expect(statuses).toEqual(["HTTP/1.1 414", "HTTP/1.1 414", "HTTP/1.1 431", "HTTP/1.1 431"]);
  expect(answers[0]).toContain('"code":"uri-too-long"');
  expect(answers[1]).toContain('"code":"uri-too-long"');
});

test("a client that claims another HTTP version than it uses is served by the version that it uses", async () => {
  plain = await open(false);
  await plain.publish("s", { data: "an event" });
  for (const claimed of ["HTTP/2.0", "HTTP/1.0"]) {
    const socket = toPlain();
    let answer = "";
    socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
    socket.write(`GET /streams/s?after=earliest ${claimed}\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    await eventually(() => answer.includes("data: an event\n"), `an event over ${claimed}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  }
});

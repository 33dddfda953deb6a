import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { requestOver, type Door } from "../../support/doors.ts";
import { eventually, read } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";

const certificate = selfSigned();

let gateway: Gateway;
let port: number;
const undo: Array<() => void> = [];

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) step();
  await gateway.close();
});

async function start(tls: boolean, listener: "raw" | "node" = "raw"): Promise<void> {
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    listener,
    store: "memory:",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: { s: {} },
    limits: { timeouts: { headers: "1s", body: "1s" } },
    ...(tls ? { tls: certificate } : {}),
  });
  ({ port } = await gateway.listen());
}

/** What a slow client sends first and then repeatedly, and the response before it is disconnected. */
interface Kind {
  readonly name: string;
  readonly first: string;
  readonly more: string;
  readonly answer: RegExp;
  /** The protocol to negotiate in a handshake, if any. */
  readonly protocol?: string;
}

const host = "Host: localhost\r\n";
const http1: readonly Kind[] = [
  { name: "says nothing", first: "", more: "", answer: /^$/ },
  { name: "starts a subscription", first: "GET /streams/s HTTP/1.1\r\n", more: "a: b\r\n", answer: /^HTTP\/1\.1 408 / },
  { name: "starts a request line", first: "G", more: "E", answer: /^HTTP\/1\.1 408 |^HTTP\/1\.1 501 / },
  {
    name: "starts a second request",
    first: `GET /healthz HTTP/1.1\r\n${host}\r\nGET /healthz HTTP/1.1\r\n`,
    more: "a: b\r\n",
    answer: /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 408 /,
  },
  {
    name: "sends a body of known length",
    first: `POST /streams/s/events HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n`,
    more: "x",
    answer: /^HTTP\/1\.1 408 /,
  },
  {
    name: "sends a body in chunks",
    first: `POST /streams/s/events HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`,
    more: "1\r\nx\r\n",
    answer: /^HTTP\/1\.1 408 /,
  },
  {
    name: "sends a body that nobody wants",
    first: `POST /nowhere HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n`,
    more: "x",
    answer: /^HTTP\/1\.1 404 /,
  },
];

const overTls = (kind: Kind): Kind => ({ ...kind, protocol: "http/1.1" });

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/** HPACK (RFC 7541): GET and https. The rest would be in a frame that is not sent. */
const openHeaders = "\0\0\x02\x01\0\0\0\0\x01\x82\x87";
const http2: readonly Kind[] = [
  { name: "says nothing after the handshake", first: "", more: "", answer: /^[^]{9,}$/, protocol: "h2" },
  { name: "starts a preface", first: "PRI", more: "", answer: /^[^]{9,}$/, protocol: "h2" },
  { name: "only pings", first: preface, more: "\0\0\x08\x06\0\0\0\0\0pingping", answer: /^[^]{9,}$/, protocol: "h2" },
  { name: "leaves headers open", first: preface + openHeaders, more: "", answer: /^[^]{9,}$/, protocol: "h2" },
];

interface Slow {
  readonly kind: Kind;
  readonly socket: Socket;
  text(): string;
  closed(): boolean;
}

function open(kind: Kind): Slow {
  const { protocol } = kind;
  const tls = { ca: certificate.cert, ALPNProtocols: [protocol ?? ""] };
  const address = { port, host: "127.0.0.1" };
  const socket = protocol === undefined ? connectTcp(address) : connectTls({ ...address, ...tls });
  let text = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {}).on("close", () => (closed = true));
  if (kind.first !== "") socket.write(kind.first, "latin1");
  undo.push(() => socket.destroy());
  return { kind, socket, text: () => text, closed: () => closed };
}

/** Opens many connections, each of which sends a little data for as long as possible. */
function openMany(count: number, kinds: readonly Kind[]): Slow[] {
  const slow = Array.from({ length: count }, (_, n) => open(kinds[n % kinds.length]!));
  const timer = setInterval(() => {
    for (const { socket, kind } of slow) if (socket.writable && kind.more !== "") socket.write(kind.more, "latin1");
  }, 100);
  undo.push(() => clearInterval(timer));
  return slow;
}

/** Checks that others are served until the last slow client is closed, and that each of those got a reason. */
async function expectService(request: Door["request"], slow: readonly Slow[]): Promise<void> {
  const reading = read(await request("/streams/s"));
  await reading.until(({ events }) => events.length === 1);
  let published = 0;
  await eventually(async () => {
    expect((await request("/healthz")).status).toBe(200);
    await gateway.publish("s", { data: String(published++) });
    return slow.every(({ closed }) => closed());
  }, "the end of the slow");
  await reading.until(() => reading.data().length === published);
  expect(reading.data()).toEqual(Array.from({ length: published }, (_, n) => String(n)));
  for (const { kind, text } of slow)
    expect([kind.name, text()]).toEqual([kind.name, expect.stringMatching(kind.answer)]);
  expect(gateway.status().streams["s"]!.subscribers).toBe(1);
}

test.each(["raw", "node"] as const)(
  "500 slow sockets are closed while the %s listener serves others",
  async (listener) => {
    await start(false, listener);
    const request: Door["request"] = (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
    await expectService(request, openMany(500, http1));
  },
);

test("a slow body over HTTP/2 is answered with 408, and its session goes on", async () => {
  await start(true);
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.cert });
  undo.push(() => session.destroy());
  const reading = read(await requestOver(session)("/streams/s"));
  const stream = session.request({ ":method": "POST", ":path": "/streams/s/events" }).on("error", () => {});
  let [status, text, closed] = [0, "", false];
  stream.on("response", (headers) => (status = headers[":status"]!));
  stream.on("data", (chunk: Buffer) => (text += chunk.toString())).on("close", () => (closed = true));
  stream.write("x");
  await eventually(() => closed);
  expect(status).toBe(408);
  expect(JSON.parse(text)).toMatchObject({ status: 408 });
  await gateway.publish("s", { data: "on" });
  await reading.until(() => reading.data().includes("on"));
});

test.each(["raw", "node"] as const)(
  "60 slow sockets are closed while the %s listener serves others over TLS",
  async (listener) => {
    await start(true, listener);
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.cert });
    undo.push(() => session.destroy());
    const beforeHandshake: Kind = { name: "starts no handshake", first: "", more: "", answer: /^$/ };
    await expectService(requestOver(session), openMany(60, [beforeHandshake, ...http1.map(overTls), ...http2]));
  },
);

/** Requests of routes that one connection carries, with and without Node's HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Gateway } from "spillway";
import { portOf } from "../../support/ports.ts";
import { answersIn, openRaw, type RawClient } from "../../support/raw-client.ts";
import { chunk, startRawOrigin, whole, type OriginConnection, type RawOrigin } from "../../support/raw-origin.ts";
import { eventually } from "../../support/reader.ts";
import { openRoutes, routeTo } from "../../support/routes.ts";

const head = "HTTP/1.1 200 OK\r\n";
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
const large = "x".repeat(2 ** 20);

/** What the target answers, by path; `whole` with the path for all others, and nothing for `/api/silent`. */
const answers: Readonly<Record<string, string>> = {
  "/api/chunked": `${chunked}${chunk("one")}${chunk("two")}0\r\n\r\n`,
  "/api/trailers": `${chunked}${chunk("one")}0\r\nX-Sum: 9\r\n\r\n`,
  "/api/empty": `${chunked}0\r\n\r\n`,
  "/api/unsized": `${head}\r\nto the end`,
  "/api/hints": `HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${whole("hinted")}`,
  "/api/204": "HTTP/1.1 204 No Content\r\n\r\n",
  "/api/304": 'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 9\r\n\r\n',
  "/api/zero": whole(""),
  "/api/large": whole(large),
  "/api/cut": `${chunked}${chunk("part")}`,
  "/api/silent": "",
};

function to(path: string, method = "GET", ...fields: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, "Host: x", ...fields, "", ""].join("\r\n");
}

let origin: RawOrigin;

beforeAll(async () => {
  origin = await startRawOrigin({
    onRequest({ method, target }, { socket }) {
      const bytes = answers[target] ?? whole(`${method} ${target}`);
      socket.write(method === "HEAD" ? bytes.slice(0, bytes.indexOf("\r\n\r\n") + 4) : bytes, "latin1");
      if (target === "/api/unsized" || target === "/api/cut") socket.end();
    },
  });
});

afterAll(() => origin.close());

/** The target's side of a request that it does not answer by itself. */
function silentTarget(): OriginConnection | undefined {
  return origin.connections.findLast((each) => each.isOpen() && each.text().includes("/api/silent"));
}

describe.each(["raw", "node"] as const)("the %s listener", (listener) => {
  let gateway: Gateway;
  let port: number;

  const open = (halfClose: "leave" | "wait"): Promise<Gateway> =>
    openRoutes({ "/api/**": routeTo([origin.url], { halfClose }) }, { listener });

  beforeAll(async () => {
    gateway = await open("wait");
    await gateway.publish("s", { data: "published" });
    ({ port } = await gateway.listen());
  });

  afterAll(() => gateway.close());

  function connect(at = port): RawClient {
    const client = openRaw(at);
    onTestFinished(() => void client.socket.destroy());
    return client;
  }

  /** Sends a request, and waits for the end of its response, which no other may be in the way of. */
  async function ask(client: RawClient, request: string, end: string | RegExp): Promise<string> {
    const before = client.text().length;
    client.socket.write(request);
    const answer = (): string => client.text().slice(before);
    const isComplete = (): boolean => (typeof end === "string" ? answer().endsWith(end) : end.test(answer()));
    await eventually(isComplete, `the end of the response to ${JSON.stringify(request.slice(0, 60))}`);
    return answer();
  }

  test("a connection carries responses of every form, one after the other", async () => {
    const client = connect();
    const forms: ReadonlyArray<readonly [request: string, end: string]> = [
      [to("/api/a"), "\r\n\r\nGET /api/a"],
      [to("/api/chunked"), "\r\n0\r\n\r\n"],
      [to("/api/trailers"), "\r\n0\r\nX-Sum: 9\r\n\r\n"],
      [to("/api/empty"), "\r\n\r\n0\r\n\r\n"],
      [to("/api/unsized"), "\r\n0\r\n\r\n"],
      [to("/api/hints"), "\r\n\r\nhinted"],
      [to("/api/204"), "\r\n\r\n"],
      [to("/api/304"), "\r\n\r\n"],
      [to("/api/zero"), "\r\n\r\n"],
      [to("/api/large"), large],
      [to("/api/a", "HEAD"), "\r\n\r\n"],
      [to("/api/chunked", "HEAD"), "\r\n\r\n"],
      [to("/api/../b"), "}"],
      [to("/api/../b", "HEAD"), "\r\n\r\n"],
      [to("/api/last"), "\r\n\r\nGET /api/last"],
    ];
    const received: string[] = [];
    for (const [request, end] of forms) received.push(await ask(client, request, end));
    const final = answersIn(received.join(""));
    expect(final.map(({ status }) => status)).toEqual([
      200, 200, 200, 200, 200, 200, 204, 304, 200, 200, 200, 200, 400, 400, 200,
    ]);
    expect(final.filter(({ closes }) => closes)).toEqual([]);
    for (const { head: fields } of final) {
      expect(fields).toMatch(/^connection: keep-alive\r\nkeep-alive: timeout=75\r?$/im);
      expect(fields).toMatch(/^date: /im);
    }
    const framing = (at: number): string | undefined =>
      /^(?:content-length|transfer-encoding): .*$/im.exec(received[at]!)?.[0];
    expect(framing(0)).toMatch(/^content-length: 10$/i);
    expect(received[1]).toMatch(/\r\n\r\n(?:3\r\none\r\n3\r\ntwo|6\r\nonetwo)\r\n0\r\n\r\n$/);
    expect(received[4]).toMatch(/\r\na\r\nto the end\r\n0\r\n\r\n$/);
    expect(received[5]).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/i,
    );
    expect(framing(6)).toBeUndefined();
    expect(framing(7)).toMatch(/^content-length: 9$/i);
    expect(framing(10)).toMatch(/^content-length: 11$/i);
    expect(framing(11)).toBeUndefined();
    expect(received[13]).not.toContain("{");
  });

  test("a connection carries requests of routes, of the gateway's own paths and of streams in any order", async () => {
    const client = connect();
    await ask(client, to("/api/a"), "GET /api/a");
    await ask(client, to("/healthz"), /\r\n\r\n\{.*\}$|\r\n\r\nok\n?$/i);
    await ask(client, `${to("/api/b", "POST", "Content-Length: 4")}body`, "POST /api/b");
    await ask(client, to("/api/c"), "GET /api/c");
    const other = connect();
    await ask(other, to("/api/a"), "GET /api/a");
    const events = await ask(
      other,
      to("/streams/s?after=earliest", "GET", "Accept: text/event-stream"),
      "data: published\n\n\r\n",
    );
    expect(events).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*event: connected/);
    const last = connect();
    await ask(last, to("/api/a"), "GET /api/a");
    expect(await ask(last, "GET /api/b HTTP/1.1\r\nHost: a b\r\n\r\n", "}")).toMatch(/^HTTP\/1\.1 400 /);
    await last.all();
  });

  test("requests that follow before the response are answered in order, whoever reads them", async () => {
    const client = connect();
    const own = to("/streams/none", "GET", "Accept: application/json");
    const packets = [
      to("/api/large"),
      to("/api/1"),
      to("/api/2", "HEAD"),
      `${to("/api/3")}${to("/api/4")}`,
      own,
      to("/api/5"),
    ];
    for (const packet of packets) {
      client.socket.write(packet);
      await new Promise(setImmediate);
    }
    await eventually(() => client.text().endsWith("GET /api/5"), "the last response");
    const all = answersIn(client.text().replaceAll(large, ""));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 404, 200]);
    expect(client.text().match(/GET \/api\/\d/g)).toEqual([1, 3, 4, 5].map((n) => `GET /api/${n}`));
  });

  test("a head that arrives in pieces behind a response is read", async () => {
    const client = connect();
    await ask(client, to("/api/a"), "GET /api/a");
    const bytes = to("/api/b");
    for (const byte of bytes.slice(0, -1)) {
      client.socket.write(byte);
      await new Promise(setImmediate);
    }
    await ask(client, bytes.slice(-1), "GET /api/b");
  });

  test("a head behind a response that does not arrive in time is refused", async () => {
    const limits = { timeouts: { headers: "300ms" } };
    const strict = await openRoutes({ "/api/**": routeTo([origin.url]) }, { listener, limits });
    onTestFinished(() => strict.close());
    const client = connect((await strict.listen()).port);
    await ask(client, to("/api/a"), "GET /api/a");
    client.socket.write(to("/api/b").slice(0, -1));
    expect(answersIn(await client.all()).map(({ status }) => status)).toEqual([200, 408]);
  });

  test("a client that asks for more than it reads gets every response in order", async () => {
    const client = connect();
    client.socket.pause();
    const before = origin.requests().length;
    // More requests than are held, and more responses than the kernel's buffers take.
    const count = 20;
    for (let n = 0; n < count; n++) client.socket.write(to("/api/large", "GET", `X-Pad: ${"x".repeat(1000)}`));
    await eventually(() => origin.requests().length > before, "the first request");
    client.socket.resume();
    await eventually(() => client.text().length > count * large.length, "all responses");
    expect(client.text().match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(count);
  });

  test("a client that ends its side behind its requests gets the responses, and then the end", async () => {
    const client = connect();
    await ask(client, to("/api/a"), "GET /api/a");
    client.socket.write(to("/api/1"));
    await new Promise(setImmediate);
    client.socket.end(to("/api/2"));
    expect((await client.all()).match(/GET \/api\/\d/g)).toEqual(["GET /api/1", "GET /api/2"]);
    const idle = connect();
    await ask(idle, to("/api/a"), "GET /api/a");
    idle.socket.end();
    await idle.all();
  });

  test("a response that its target cuts ends the connection", async () => {
    const client = connect();
    await ask(client, to("/api/a"), "GET /api/a");
    client.socket.write(to("/api/cut"));
    expect(await client.all()).toMatch(/4\r\npart\r\n$/);
  });

  test("a client that leaves while its second request is under way ends that at its target", async () => {
    const leaving = await open("leave");
    onTestFinished(() => leaving.close());
    const client = connect((await leaving.listen()).port);
    await ask(client, to("/api/a"), "GET /api/a");
    client.socket.write(to("/api/silent"));
    await eventually(() => silentTarget() !== undefined, "the request");
    client.socket.end();
    await eventually(() => silentTarget() === undefined, "the end of the request");
    await client.all();
    expect(leaving.status().routes["/api/**"]).toMatchObject({ active: 0 });
  });

  test("when the gateway stops, idle connections close, and busy ones with their response", async () => {
    const stopping = await open("wait");
    onTestFinished(() => stopping.close());
    const at = (await stopping.listen()).port;
    const [idle, busy] = [connect(at), connect(at)];
    await ask(idle, to("/api/a"), "GET /api/a");
    await ask(busy, to("/api/a"), "GET /api/a");
    busy.socket.write(to("/api/silent"));
    await eventually(() => silentTarget() !== undefined, "the request");
    const closed = stopping.close();
    await once(idle.socket, "end");
    silentTarget()!.socket.write(whole("the response"));
    expect(await busy.all()).toMatch(/the response$/);
    // Node's HTTP has announced what it does not do.
    if (listener === "raw") expect(answersIn(busy.text()).at(-1)).toMatchObject({ status: 200, closes: true });
    await closed;
  });
});

test("a target may take longer to answer than its gateway's server lets connections be silent", async () => {
  const gateway = await openRoutes({ "/api/**": routeTo([origin.url]) });
  const server = createServer(gateway.node()).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.timeout = 50;
  const waiting = openRaw(portOf(server));
  onTestFinished(async () => {
    waiting.socket.destroy();
    server.close();
    await gateway.close();
  });
  waiting.socket.write(to("/api/silent"));
  await eventually(() => silentTarget() !== undefined, "the request");
  // It is connected later, and closed.
  const silent = openRaw(portOf(server));
  await silent.all();
  silent.socket.destroy();
  silentTarget()!.socket.write(whole("the response"));
  await eventually(() => waiting.text().endsWith("the response"), "the response");
});

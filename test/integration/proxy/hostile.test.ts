import { once } from "node:events";
import { createServer, type Server } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Gateway } from "spillway";
import { budget, time } from "../../fuzz/budget.ts";
import { answersIn, openRaw } from "../../support/raw-client.ts";
import { chunk, startRawOrigin, whole, type OriginConnection, type RawOrigin } from "../../support/raw-origin.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { openRoutes, routeTo } from "../../support/routes.ts";
import { readStrictly, type StrictRequest } from "../../support/strict-requests.ts";

/** What the origin does with each request. */
let answer: (request: StrictRequest, connection: OriginConnection) => void;
let origin: RawOrigin;
let gateway: Gateway;
let mounted: Server;
/** The ports of all servers. */
const ports = { "the gateway's own server": 0, "gateway.node() in a server of node:http": 0 };
const [ownServer, nodeServer] = Object.keys(ports) as [keyof typeof ports, keyof typeof ports];

beforeAll(async () => {
  origin = await startRawOrigin({ onRequest: (request, connection) => answer(request, connection) });
  const timeouts = { connect: 5000, headers: 500, idle: 90_000 };
  gateway = await openRoutes({ "/api/**": routeTo([origin.url], { upstream: { timeouts } }) }, { drain: 0 });
  ports[ownServer] = (await gateway.listen()).port;
  mounted = createServer(gateway.node()).listen(0, "127.0.0.1");
  // The clients here end their side after the request.
  Object.assign(mounted, { httpAllowHalfOpen: true });
  await once(mounted, "listening");
  ports[nodeServer] = portOf(mounted);
});

afterAll(async () => {
  mounted.closeAllConnections();
  mounted.close();
  await gateway.close();
  await origin.close();
});

beforeEach(() => {
  answer = ({ target }, { socket }) => void socket.write(whole(`answer to ${target}!`), "latin1");
});

let runs = 0;

interface Outcome {
  readonly text: string;
  readonly received: StrictRequest[];
  readonly errors: string[];
}

/** What came back for these bytes, once the gateway has closed, and the requests to the origin that come from them. */
async function sendTo(server: keyof typeof ports, bytes: string): Promise<Outcome> {
  // What is aborted may still arrive later: the path tells the requests of one client from those of another.
  const base = `/api/${++runs}/`;
  const { socket, all } = openRaw(ports[server]);
  socket.end(bytes.replaceAll("/api/", base), "latin1");
  const text = await all();
  socket.destroy();
  const own = origin.requests().filter(({ target }) => target.startsWith(base));
  return {
    text: text.replaceAll(base, "/api/"),
    received: own.map((request) => Object.assign(request, { target: request.target.replace(base, "/api/") })),
    errors: origin.errors(),
  };
}

const smuggled = "GET /api/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

function post(fields: readonly string[], body = `5\r\nfirst\r\n0\r\n\r\n${smuggled}`): string {
  return ["POST /api/first HTTP/1.1", "Host: x", ...fields, "", body].join("\r\n");
}

const chunkedPost = (body: string): string => post(["Transfer-Encoding: chunked"], body);

describe.each([ownServer, nodeServer])("from the client, through %s", (server) => {
  const send = (bytes: string): Promise<Outcome> => sendTo(server, bytes);

  test.each([
    ...["010", "+5", "5, 5", "5 5", "-5", "0x5", "5.0", "", "99999999999999999999", "\x0b5"].map((length) =>
      post([`Content-Length: ${length}`], "first"),
    ),
    post(["Content-Length: 5", "Content-Length: 6"], "first!"),
    post(["Content-Length: 5", "Content-Length: 5"], "first"),
    post(["Content-Length : 5"], "first"),
    ...[
      ",chunked",
      "chunked, identity",
      "identity, chunked",
      "xchunked",
      "chunkedx",
      "chunked,",
      "chunked, chunked",
    ].map((coding) => post([`Transfer-Encoding: ${coding}`])),
    ...["gzip, chunked", "\x0bchunked", '"chunked"', "chunked;x=1", "identity"].map((coding) =>
      post([`Transfer-Encoding: ${coding}`]),
    ),
    post(["Transfer-Encoding : chunked"]),
    post(["Transfer-Encoding\t: chunked"]),
    post([" Transfer-Encoding: chunked"]),
    post(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
    post(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]),
    post(["Content-Length: 5", "Transfer-Encoding: chunked"]),
    post(["Transfer-Encoding: chunked", "Content-Length: 5"]),
    post(["Transfer-Encoding: chunked"]).replace("HTTP/1.1", "HTTP/1.0"),
    ...["5g", "-5", "0x5", " 5", "+5", "ffffffffffffffffff", "5\n", "", "5 ;\0"].map((size) =>
      chunkedPost(`${size}\r\nfirst\r\n0\r\n\r\n${smuggled}`),
    ),
    chunkedPost(`5\r\nfirstX0\r\n\r\n${smuggled}`),
    chunkedPost(`5\nfirst\n0\n\n${smuggled}`),
    chunkedPost(`5;a\nb\r\nfirst\r\n0\r\n\r\n${smuggled}`),
    chunkedPost("5\r\nfir"),
    post(["Content-Length: 10"], "first"),
    `GET /api/first HTTP/1.1\nHost: x\n\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`,
    `GET /api/first HTTP/1.1\r\n\r\n`,
    `GET /api/first x HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET /api/fi\0rst HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET /api/first HTTP/9.9\r\nHost: x\r\n\r\n`,
    ...[
      "..",
      ".",
      "%2e%2e",
      "%2E.",
      ".%2e",
      "..%2f",
      "..\\x",
      "..%5cx",
      "a/%2e%2e/b",
      "..;",
      "..;a/b",
      "%2e%2e%3Ba",
    ].map((path) => `GET /api/${path} HTTP/1.1\r\nHost: x\r\n\r\n`),
    "GET /api/../smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT /api/first HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE /api/first HTTP/1.1\r\nHost: x\r\n\r\n",
    `GET /api/first HTTP/1.1\r\nHost: x\r\n${"X-Flood: 1\r\n".repeat(3000)}\r\n`,
    `GET /api/first HTTP/1.1\r\nHost: x\r\nX-Flood: ${"1".repeat(200_000)}\r\n\r\n`,
    `GET /api/${"first".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  ])("%j is refused, and no whole request reaches the target", async (bytes) => {
    const { text, received, errors } = await send(bytes);
    for (const { status } of answersIn(text)) expect(status).toBeGreaterThanOrEqual(400);
    expect(errors).toEqual([]);
    expect(received.filter(({ isComplete }) => isComplete)).toEqual([]);
    expect(received.map(({ target }) => target).filter((target) => target !== "/api/first")).toEqual([]);
  });

  test.each([
    ["a coding after a tab", post(["Transfer-Encoding:\tchunked"], "5\r\nfirst\r\n0\r\n\r\n"), "first"],
    ["a coding in upper case", post(["Transfer-Encoding: CHUNKED"], "5\r\nfirst\r\n0\r\n\r\n"), "first"],
    ["extensions of chunks", chunkedPost("5;a=b\r\nfirst\r\n0;c\r\n\r\n"), "first"],
    ["leading zeros of a chunk", chunkedPost("0005\r\nfirst\r\n000\r\n\r\n"), "first"],
    ["a length that Connection names", post(["Connection: content-length", "Content-Length: 5"], "first"), "first"],
    [
      "a coding that Connection names",
      post(["Connection: transfer-encoding", "Transfer-Encoding: chunked"], "5\r\nfirst\r\n0\r\n\r\n"),
      "first",
    ],
    ["an absolute target", "GET http://evil.test/api/first HTTP/1.1\r\nHost: x\r\n\r\n", ""],
    ["two spaces before its target", "GET  /api/first HTTP/1.1\r\nHost: x\r\n\r\n", ""],
    ["an upgrade", "GET /api/first HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", ""],
    ["empty lines before it", "\r\n\r\nGET /api/first HTTP/1.1\r\nHost: x\r\n\r\n", ""],
  ])("a request with %s arrives as one in the plain form", async (_, bytes, body) => {
    const { text, received, errors } = await send(bytes);
    expect(answersIn(text).map(({ status }) => status)).toEqual([200]);
    expect(errors).toEqual([]);
    expect(received).toMatchObject([{ target: "/api/first", body, isComplete: true }]);
    const [request] = received;
    expect(request!.header("host")).toBe(origin.url.slice(7));
    expect([undefined, "chunked"]).toContain(request!.header("transfer-encoding"));
  });

  test("a request with a folded line is refused or unfolded", async () => {
    const { text, received, errors } = await send("GET /api/first HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n");
    expect(errors).toEqual([]);
    if (received.length === 0) expect(answersIn(text)[0]!.status).toBe(400);
    else expect(received.map((request) => request.header("x"))).toEqual([expect.stringMatching(/^a\s+b$/)]);
  });

  test("a second request behind the first is answered second, and is a request of its own", async () => {
    const second = "GET /api/second HTTP/1.1\r\nHost: x\r\n\r\n";
    const { text, received, errors } = await send(post(["Content-Length: 5"], `first${second}`));
    expect(errors).toEqual([]);
    expect(received.map(({ target, body }) => `${target} ${body}`).toSorted()).toEqual([
      "/api/first first",
      "/api/second ",
    ]);
    expect(text.match(/answer to \S+!/g)).toEqual(["answer to /api/first!", "answer to /api/second!"]);
  });

  test("mutated requests reach the target as the requests they are, or not at all", { timeout: time }, async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (bytes) => {
        const { text, received, errors } = await send(bytes);
        expect(errors).toEqual([]);
        expect(received.length).toBeLessThanOrEqual(bytes.split("/api/").length - 1);
        // What is answered with 200 was answered by the target, to this client, and nothing twice.
        const answers = [...text.matchAll(/answer to (\S+?)!/g)].map(([, target]) => target!);
        const left = received.filter(({ isComplete }) => isComplete).map(({ target }) => target);
        for (const target of answers) {
          expect(left).toContain(target);
          left.splice(left.indexOf(target), 1);
        }
      }),
      budget(75),
    );
  });
});

/** Two requests, with a few bytes put in, taken out or changed where framing is decided. */
const mutated = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        post(["Content-Length: 5"], "first"),
        chunkedPost("5\r\nfirst\r\n0\r\n\r\n"),
        chunkedPost("3\r\nfir\r\n2;x=y\r\nst\r\n0\r\nT: x\r\n\r\n"),
        "GET /api/second HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n",
      ),
      { minLength: 1, maxLength: 2 },
    ),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom(
          "",
          "\r",
          "\n",
          "\r\n",
          " ",
          "\t",
          "\0",
          ",",
          ":",
          ";",
          "0",
          "5",
          "-",
          "chunked",
          "\x0b",
          "\xff",
        ),
        fc.nat(2),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([requests, mutations]) =>
    mutations.reduce((text, [at, put, taken]) => {
      const place = at % text.length;
      return text.slice(0, place) + put + text.slice(place + taken);
    }, requests.join("")),
  );

describe("from the target", () => {
  const get = "GET /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const head = "HTTP/1.1 200 OK\r\n";
  const send = (bytes: string): Promise<Outcome> => sendTo(ownServer, bytes);

  test.each([
    `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nsecret`,
    `${head}Content-Length: -5\r\n\r\nsecret`,
    `${head}Content-Length: 5x\r\n\r\nsecret`,
    `${head}Content-Length: 99999999999999999999999\r\n\r\nsecret`,
    `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nfirst\r\n0\r\n\r\n`,
    `${head}no colon\r\n\r\n`,
    `${head}X: a\0b\r\n\r\n`,
    `${head}X: a\rb\r\n\r\n`,
    `${head}X\x01: a\r\n\r\n`,
    `HTTP/1.1 2000 OK\r\n\r\n`,
    `HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n`,
    `HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n`,
    `ICY 200 OK\r\n\r\n`,
    `secret\r\n`,
    `\0\0\0\0`,
    `${head}X-Flood: ${"1".repeat(200_000)}\r\n\r\n`,
    `${head}${"X-Flood: 1\r\n".repeat(20_000)}\r\n`,
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nsecret`,
    `HTTP/1.1 100 Continue\r\n\r\n${whole("secret")}`,
    "",
  ])("%j is 502 or 504, and nothing of it reaches the client", async (bytes) => {
    answer = (_, { socket }) => void socket.write(bytes, "latin1", () => socket.end());
    const { text } = await send(get);
    expect(answersIn(text).map(({ status }) => status)).toEqual([
      expect.toSatisfy((status) => status === 502 || status === 504),
    ]);
    expect(text).not.toMatch(/secret|flood/i);
  });

  test.each(["zz", "-4", "fffffffffffffffff", "4;\0", "4 4", ""])(
    "a chunk of the size %j cuts the answer",
    async (size) => {
      answer = (_, { socket }) =>
        void socket.write(
          `${head}Transfer-Encoding: chunked\r\n\r\n${chunk("part")}${size}\r\nmore\r\n0\r\n\r\n`,
          "latin1",
        );
      const { text } = await send(get);
      // The first chunk may still have been passed on.
      expect(text).toMatch(/^HTTP\/1\.1 (200|502) /);
      expect(text.startsWith("HTTP/1.1 502") || !text.includes("\r\n0\r\n")).toBe(true);
    },
  );

  test("a second answer behind the first reaches nobody", async () => {
    const evil = whole("poison");
    answer = ({ target }, { socket }) => void socket.write(whole(`answer to ${target}!`) + evil + evil);
    for (let n = 0; n < 20; n++) {
      const { text } = await send(`GET /api/${n} HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(text).not.toContain("poison");
      if (text.startsWith("HTTP/1.1 200")) expect(text.match(/answer to \S+!/g)).toEqual([`answer to /api/${n}!`]);
    }
  });

  test("bytes that come before the next request are no answer to it", async () => {
    const { socket, text } = openRaw(ports[ownServer]);
    onTestFinished(() => void socket.destroy());
    const received = (): number => origin.requests().filter(({ target }) => target.startsWith("/api/late")).length;
    socket.write("GET /api/late1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually(() => text().includes("late1!"), "the first answer");
    for (const connection of origin.connections) if (connection.isOpen()) connection.socket.write(whole("poison"));
    socket.write("GET /api/late2 HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually(() => answersIn(text()).length === 2, "the second answer");
    expect(text()).not.toContain("poison");
    expect(received()).toBeGreaterThanOrEqual(1);
  });

  test("an answer that comes before the body was read is passed on, and its connection is not used again", async () => {
    const early = await startRawOrigin({
      onHead: ({ target }, { socket }) => void socket.write(whole(`answer to ${target}!`)),
    });
    const other = await openRoutes({ "/api/**": routeTo([early.url]) }, { drain: 0 });
    onTestFinished(async () => {
      await other.close();
      await early.close();
    });
    const client = openRaw((await other.listen()).port);
    client.socket.write("POST /api/early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\npart");
    await eventually(() => client.text().includes("early!"), "the answer");
    client.socket.write(`${"x".repeat(996)}GET /api/next HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(() => client.ended() || client.text().includes("next!"), "the next answer, or the end");
    client.socket.destroy();
    expect(early.errors()).toEqual([]);
    expect(early.requests().filter(({ target }) => !["/api/early", "/api/next"].includes(target))).toEqual([]);
    for (const { text } of early.connections) expect(readStrictly(text()).requests.length).toBe(1);
  });

  test("a header with a folded line is unfolded or 502", async () => {
    answer = (_, { socket }) => void socket.write(whole("done", "X-Folded: a\r\n b"));
    const { text } = await send(get);
    expect(text).not.toMatch(/^ b/m);
    expect(text).toMatch(/^HTTP\/1\.1 (200|502) /);
  });

  test("a body of a gigabyte to a client that does not read takes bounded memory", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    let written = 0;
    let ended = false;
    answer = (_, { socket }) => {
      socket.write(`${head}Content-Length: ${2 ** 30}\r\n\r\n`);
      const writeOn = (): void => {
        while (written < 2 ** 30 && !socket.destroyed) {
          written += piece.length;
          if (!socket.write(piece)) return void socket.once("drain", writeOn);
        }
        ended = true;
      };
      writeOn();
    };
    const client = openRaw(ports[ownServer]);
    client.socket.pause().write(get);
    let last = -1;
    // Until nothing more is taken from the target.
    await eventually(
      () => written > 0 && written === (last === written ? last : ((last = written), -1)),
      "a standstill",
      300,
    );
    expect(written).toBeLessThan(64 * 2 ** 20);
    expect(process.memoryUsage().external).toBeLessThan(200 * 2 ** 20);
    let bytes = 0;
    client.socket.on("data", (data: Buffer) => (bytes += data.length)).removeAllListeners("data");
    client.reset();
    await eventually(() => origin.connections.at(-1)!.socket.destroyed, "the end of the request");
    expect(ended && written >= 2 ** 30).toBe(false);
    expect(bytes).toBe(0);
  });
});

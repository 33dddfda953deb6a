import { connect as connectHttp2 } from "node:http2";
import { afterEach, describe, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { requestOver } from "../../support/doors.ts";
import { answersIn, openRaw, type RawAnswer, type RawClient } from "../../support/raw-client.ts";
import { eventually } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";

const certificate = selfSigned();

let gateway: Gateway;
let port: number;
let ca: string | undefined;

afterEach(() => gateway.close());

async function start(tls: boolean): Promise<void> {
  ca = tls ? certificate.cert : undefined;
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    hosts: ["*"],
    streams: { s: {} },
    limits: { body: 1000, timeouts: { headers: "5s", body: "5s" } },
    ...(tls ? { tls: certificate } : {}),
  });
  ({ port } = await gateway.listen());
}

/** The response to these bytes, once the server has closed. */
async function answersTo(...packets: string[]): Promise<RawAnswer[]> {
  const { socket, all } = openRaw(port, { ca });
  for (const packet of packets) {
    await new Promise((resolve) => socket.write(packet, "latin1", resolve));
    // The gateway reads in the turns between, in this very process.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  }
  const answers = answersIn(await all());
  socket.destroy();
  return answers;
}

const facts = (answers: readonly RawAnswer[]): Array<[number, string | undefined]> =>
  answers.map(({ status, code }) => [status, code]);

const published = (): string => gateway.status().streams["s"]!.head;

function post(body: string, ...headers: string[]): string {
  const framing = headers.some((header) => /^(content-length|transfer-encoding)/i.test(header))
    ? []
    : [`Content-Length: ${body.length}`];
  return [
    "POST /streams/s/events HTTP/1.1",
    "Host: x",
    "Content-Type: application/json",
    ...headers,
    ...framing,
    "",
    body,
  ].join("\r\n");
}

const get = (target: string, ...headers: string[]): string =>
  [`GET ${target} HTTP/1.1`, ...headers, "", ""].join("\r\n");

describe.each([
  ["plain", false],
  ["TLS", true],
])("over %s", (_, tls) => {
  test.each([
    ["bytes that are no request", "\0\x01\x02 what is this\r\n\r\n", 400],
    ["a method that nobody knows", "BREW /streams/s HTTP/1.1\r\nHost: x\r\n\r\n", 501],
    ["a length that is none", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      400,
    ],
  ])(
    "a publish is answered, and then the malformed bytes in the same packet, once: %s",
    async (_what, rest, status) => {
      await start(tls);
      const expected = [
        [200, undefined],
        [status, "request-invalid"],
      ];
      expect(facts(await answersTo(post('{"data":"1"}') + rest))).toEqual(expected);
      expect(facts(await answersTo(post('{"data":"2"}') + rest + rest, rest, rest))).toEqual(expected);
      expect(facts(await answersTo(post('{"data":"3"}'), rest, rest))).toEqual(expected);
      expect(published()).toMatch(/\.3$/);
    },
  );

  test("on a persistent HTTP/1.0 connection it is the same, whether the bytes arrive together or one by one", async () => {
    await start(tls);
    const bytes =
      "GET /streams/none HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\0\r\n\r\n";
    for (const packets of [[bytes], Array.from(bytes)])
      expect(facts(await answersTo(...packets))).toEqual([
        [404, "stream-unknown"],
        [400, "request-invalid"],
      ]);
  });

  test("several requests are answered in order before the malformed bytes after them", async () => {
    await start(tls);
    const list = get("/streams", "Host: x");
    const answers = await answersTo(`${list}${post('{"data":"1"}')}${list}${get("/none", "Host: x")}\0`);
    expect(facts(answers)).toEqual([
      [200, undefined],
      [200, undefined],
      [200, undefined],
      [404, "not-found"],
      [400, "request-invalid"],
    ]);
  });

  test("nothing follows the last response on a connection that its client wants closed", async () => {
    await start(tls);
    const answers = await answersTo(`${post('{"data":"1"}', "Connection: close")}\0\0\0`);
    expect(facts(answers)).toEqual([[200, undefined]]);
  });

  test.each([
    ["a chunk size that is none", "zz\r\nhello\r\n0\r\n\r\n"],
    ["a negative chunk size", "-1\r\nhello\r\n0\r\n\r\n"],
    ["a chunk that is longer than it says", "2\r\nhello\r\n0\r\n\r\n"],
  ])("a body with %s gets one 400, and publishes nothing", async (_what, body) => {
    await start(tls);
    const request = post(body, "Transfer-Encoding: chunked");
    const [answer, ...others] = await answersTo(request);
    expect(others).toEqual([]);
    expect(answer).toMatchObject({ status: 400, code: "request-invalid", type: "application/problem+json" });
    expect(facts(await answersTo(post("1\r\n{\r\n", "Transfer-Encoding: chunked"), body))).toEqual([
      [400, "request-invalid"],
    ]);
    expect(published()).toMatch(/\.0$/);
  });

  test("a malformed body after its own refusal gets no second one", async () => {
    await start(tls);
    const head = "POST /none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(facts(await answersTo(head, "zz\r\n", "zz\r\n"))).toEqual([[404, "not-found"]]);
    expect(facts(await answersTo(`${head}zz\r\n`))).toHaveLength(1);
  });

  test("a request that ends within its body gets 400", async () => {
    await start(tls);
    const { socket, all } = openRaw(port, { ca });
    socket.end(post('{"data"', "Content-Length: 20"));
    expect(facts(answersIn(await all()))).toEqual([[400, "request-invalid"]]);
  });
});

const stream = ["/streams/s", "/streams/s?after=earliest"];

test.each([
  ["two hosts", get(stream[0]!, "Host: x", "Host: y"), 400],
  ["the same host twice", get(stream[0]!, "Host: x", "hOST: x"), 400],
  ["a host with a space", get(stream[0]!, "Host: a b"), 400],
  ["a host with a path", get(stream[0]!, "Host: x/y"), 400],
  ["a host with a user", get(stream[0]!, "Host: u@x"), 400],
  ["a port that is none", get(stream[0]!, "Host: x:y"), 400],
  ["no host", get(stream[0]!), 400],
  ["no host at another path", get("/status"), 400],
  ["an expectation that nobody knows", get(stream[0]!, "Host: x", "Expect: foo"), 417],
  ["two expectations", get(stream[0]!, "Host: x", "Expect: 100-continue, foo"), 417],
  ["a method that nobody knows", get(stream[0]!, "Host: x").replace("GET", "BREW"), 501],
  ["a method in lower case", get(stream[0]!, "Host: x").replace("GET", "get"), 501],
  ["a request for a tunnel", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 501],
])("%s gets a problem with its status, in one packet, two, or byte by byte", async (_, request, status) => {
  await start(false);
  const expected = [{ status, code: "request-invalid", type: "application/problem+json" }];
  for (const packets of [[request], [request.slice(0, 20), request.slice(20)], Array.from(request)]) {
    expect(await answersTo(...packets)).toMatchObject(expected);
  }
});

test.each(["x", "x:8080", "127.0.0.1:1", "[::1]:80", "[fe80::1%25eth0]", "xn--a.example", "a_b", ""])(
  "the host %j is accepted",
  async (host) => {
    await start(false);
    for (const more of [[], ["Connection: close"]]) {
      expect((await answersTo(get("/streams/none", `Host: ${host}`, "Connection: close", ...more)))[0]?.status).toBe(
        404,
      );
    }
    const { socket, text } = openRaw(port);
    socket.write(get(stream[0]!, `Host: ${host}`));
    await eventually(() => text().startsWith("HTTP/1.1 200 "));
    socket.destroy();
  },
);

test.each(["PUT", "DELETE", "PATCH", "PROPFIND", "REPORT", "TRACE", "QUERY"])(
  "%s on a path that does not support it gets 405 and the supported methods",
  async (method) => {
    await start(false);
    const ask = (path: string): Promise<RawAnswer[]> =>
      answersTo(get(path, "Host: x", "Connection: close").replace("GET", method));
    const [answer] = await ask("/streams/s");
    expect(answer).toMatchObject({ status: 405, code: "method-not-allowed", type: "application/problem+json" });
    expect(answer!.head).toMatch(/^Allow: GET, HEAD, OPTIONS$/im);
    expect(facts(await ask("/none"))).toEqual([[404, "not-found"]]);
  },
);

describe("a client that waits for 100 Continue", () => {
  const head = (...lines: string[]): string =>
    ["POST /streams/s/events HTTP/1.1", "Host: x", "Expect: 100-continue", ...lines, "", ""].join("\r\n");
  const send = (bytes: string): RawClient => {
    const client = openRaw(port);
    client.socket.write(bytes);
    return client;
  };

  test("gets it when its body is needed, and then its response", async () => {
    await start(false);
    const { socket, text } = send(head("Content-Type: application/json", "Content-Length: 12"));
    await eventually(() => text() === "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write('{"data":"1"}');
    await eventually(() => answersIn(text()).some(({ status }) => status === 200));
    expect(text().match(/100 Continue/g)).toHaveLength(1);
    socket.write(get("/healthz", "Host: x"));
    await eventually(() => answersIn(text()).length === 2);
    socket.destroy();
  });

  test.each([
    ["whose length is beyond the limit", head("Content-Type: application/json", "Content-Length: 1001"), 413],
    ["of a stream that is not there", head("Content-Length: 5").replace("/s/", "/none/"), 404],
    ["for a path that takes none", head("Content-Length: 5").replace("/events", ""), 405],
  ])("is refused before it sends a body %s, and its connection is closed", async (_, request, status) => {
    await start(false);
    const { all } = send(request);
    const text = await all();
    expect(text).not.toContain("100 Continue");
    expect(answersIn(text)).toMatchObject([{ status, type: "application/problem+json" }]);
    expect(text).toMatch(/^connection: close\r$/im);
  });
});

test("the same rules hold over HTTP/2", async () => {
  await start(true);
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.cert });
  const ask = requestOver(session);
  const big = await ask("/streams/s/events", {
    method: "POST",
    headers: { "expect": "100-continue", "content-type": "application/json", "content-length": "1001" },
    body: JSON.stringify({ data: "x".repeat(1001 - 11) }),
  });
  expect([big.status, await big.json()]).toMatchObject([413, { code: "body-too-large" }]);
  const good = await ask("/streams/s/events", {
    method: "POST",
    headers: { "expect": "100-continue", "content-type": "application/json" },
    body: '{"data":"1"}',
  });
  expect(good.status).toBe(200);
  const foo = await ask("/streams/s", { headers: { expect: "foo" } });
  expect([foo.status, await foo.json()]).toMatchObject([417, { code: "request-invalid" }]);
  session.destroy();
});

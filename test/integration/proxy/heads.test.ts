import { beforeEach, afterEach, describe, expect, test } from "vitest";
import type { Gateway, GatewayConfig } from "spillway";
import { startRawOrigin, whole, type RawOrigin } from "../../support/raw-origin.ts";
import { openRaw } from "../../support/raw-client.ts";
import { openRoutes, routeTo, type RouteChanges } from "../../support/routes.ts";
import type { StrictRequest } from "../../support/strict-requests.ts";

let origin: RawOrigin;
let gateway: Gateway | undefined;
let port: number;
let answer: string;

beforeEach(async () => {
  answer = whole("done");
  origin = await startRawOrigin({ onRequest: (_, { socket }) => void socket.write(answer, "latin1") });
});

afterEach(async () => {
  await gateway?.close();
  await origin.close();
});

interface Setup extends RouteChanges {
  /** The path of the target's URL. */
  readonly base?: string;
  readonly config?: Omit<GatewayConfig, "store">;
}

async function start({ base = "", config, ...changes }: Setup = {}): Promise<void> {
  gateway = await openRoutes({ "/api/**": routeTo([origin.url + base], changes) }, { drain: 0, ...config });
  ({ port } = await gateway.listen());
}

/** All bytes of the answer to a request, over a connection of its own. */
async function ask(target: string, fields: readonly string[] = [], method = "GET"): Promise<string> {
  const closes = fields.some((field) => /^connection:/i.test(field)) ? [] : ["Connection: close"];
  const { socket, all } = openRaw(port);
  socket.write(
    [`${method} ${target} HTTP/1.1`, "Host: example.test", ...closes, ...fields, "", ""].join("\r\n"),
    "latin1",
  );
  const text = await all();
  socket.destroy();
  return text;
}

/** What the target got. */
async function forwarded(target: string, fields?: readonly string[], method?: string): Promise<StrictRequest> {
  const count = origin.requests().length;
  await ask(target, fields, method);
  expect(origin.errors()).toEqual([]);
  const [request, ...others] = origin.requests().slice(count);
  expect(others).toEqual([]);
  return request!;
}

const namesOf = ({ headers }: StrictRequest): string[] => headers.map(([name]) => name);

describe("hop-by-hop headers", () => {
  test("of a request are removed, also those that Connection names", async () => {
    await start();
    const request = await forwarded("/api/x", [
      "Connection: close, X-Hop , x-other",
      "X-Hop: 1",
      "x-OTHER: 1",
      "Keep-Alive: timeout=5",
      "Proxy-Authorization: Basic YTpi",
      "Proxy-Connection: keep-alive",
      "TE: trailers, deflate",
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
      "X-Kept: 1",
    ]);
    expect(namesOf(request).toSorted()).toEqual(
      ["connection", "host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-kept"].toSorted(),
    );
    expect(request.header("connection")).toBe("keep-alive");
  });

  test("Connection cannot remove what the gateway sets", async () => {
    await start({ headers: { request: { set: { "x-secret": "1" }, remove: [] }, response: { set: {}, remove: [] } } });
    const request = await forwarded("/api/x", ["Connection: close, x-forwarded-for, host, via, x-secret"]);
    expect(request.header("x-forwarded-for")).toBe("127.0.0.1");
    expect(request.header("host")).toBe(origin.url.slice(7));
    expect(request.header("x-secret")).toBe("1");
  });

  test("of an answer are removed, also those that Connection names", async () => {
    await start();
    const fields = ["Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Upgrade: h2c", "X-Kept: 1"];
    answer = whole("done", ...fields, "Proxy-Authenticate: Basic", "TE: trailers");
    const text = await ask("/api/x");
    expect(text).toMatch(/^x-kept: 1\r$/im);
    expect(text).not.toMatch(/^(x-hop|keep-alive|upgrade|proxy-authenticate|te):/im);
  });
});

describe("who the client is", () => {
  const said = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test"];
  const others = ["X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-Port: 1"];

  test("is told by the gateway alone where the client is no trusted proxy", async () => {
    await start();
    const request = await forwarded("/api/x", [...said, ...others]);
    expect(request.header("x-forwarded-for")).toBe("127.0.0.1");
    expect(request.header("x-forwarded-proto")).toBe("http");
    expect(request.header("x-forwarded-host")).toBe("example.test");
    for (const name of ["x-real-ip", "forwarded", "x_forwarded_for", "x-forwarded-port"])
      expect(request.header(name)).toBeUndefined();
  });

  test("is told by a trusted proxy, and the gateway adds its own part", async () => {
    await start({ config: { trustProxy: ["127.0.0.1"] } });
    const request = await forwarded("/api/x", said);
    expect(request.header("x-forwarded-for")).toBe("6.6.6.6, 127.0.0.1");
    expect(request.header("x-forwarded-proto")).toBe("https");
    expect(request.header("x-forwarded-host")).toBe("evil.test");
  });

  test("can be told by Forwarded", async () => {
    await start({ forwarded: "rfc7239", config: { trustProxy: ["127.0.0.1"] } });
    const request = await forwarded("/api/x", ["Forwarded: for=6.6.6.6;proto=https"]);
    expect(request.header("forwarded")).toBe('for=6.6.6.6;proto=https, for=127.0.0.1;host="example.test";proto=http');
    expect(request.header("x-forwarded-for")).toBeUndefined();
  });

  test("is not told if so configured", async () => {
    await start({ forwarded: "none" });
    const request = await forwarded("/api/x", [...said, ...others]);
    expect(namesOf(request).filter((name) => /forwarded|real/.test(name))).toEqual([]);
  });
});

describe("the target of a request", () => {
  test.each([
    [{}, "/api/a/b?x=1", "/api/a/b?x=1"],
    [{ path: { strip: "/api" } }, "/api/a/b?x=1", "/a/b?x=1"],
    [{ path: { strip: "/api" } }, "/api", "/"],
    [{ path: { strip: "/api" } }, "/api?x", "/?x"],
    [{ path: { strip: "/api", prepend: "/v2" } }, "/api/a", "/v2/a"],
    [{ path: { strip: "/api", prepend: "/v2" }, base: "/base" }, "/api/a", "/base/v2/a"],
    [{ base: "/base/" }, "/api/a", "/base/api/a"],
    // As it was sent, byte for byte.
    [{}, "/api/a%2Fb%20c%E2%82%AC?q=%20+%2B", "/api/a%2Fb%20c%E2%82%AC?q=%20+%2B"],
    [{}, "/api//a///b", "/api//a///b"],
    [{}, "/api/?a=/../b", "/api/?a=/../b"],
    [{}, "/api/a;b=c,d", "/api/a;b=c,d"],
    // A path that looks like an authority stays a path.
    [{ path: { strip: "/api" } }, "/api//evil.test/x", "//evil.test/x"],
    [{}, "/api/sse-like/x", "/api/sse-like/x"],
    [{}, "/api/...", "/api/..."],
  ] as ReadonlyArray<[Setup, string, string]>)("with %j, %s becomes %s", async (setup, target, expected) => {
    await start(setup);
    expect((await forwarded(target)).target).toBe(expected);
  });

  test("is the target's host, whatever the client's Host, unless that is kept", async () => {
    await start();
    expect((await forwarded("/api/x")).header("host")).toBe(origin.url.slice(7));
    await gateway!.close();
    await start({ host: "client" });
    expect((await forwarded("/api/x")).header("host")).toBe("example.test");
  });
});

describe("the credential", () => {
  const sent = ["Authorization: Bearer abc", "X-API-Key: abc", "Cookie: a=1; session=abc; b=2"];
  const target = "/api/x?a=1&ticket=abc&b=2";
  const jwt = { secret: "a secret that is long enough for a test" };
  const config = { access: { cookie: "session", jwt } };

  test("is kept where the target checks it", async () => {
    await start({ credential: "keep" });
    const request = await forwarded(target, sent);
    expect(request.target).toBe(target);
    expect(request.header("authorization")).toBe("Bearer abc");
    expect(request.header("x-api-key")).toBe("abc");
    expect(request.header("cookie")).toBe("a=1; session=abc; b=2");
  });

  test("is dropped, wherever it was", async () => {
    await start({ credential: "drop", config });
    const request = await forwarded(target, sent);
    expect(request.target).toBe("/api/x?a=1&b=2");
    expect(request.header("authorization")).toBeUndefined();
    expect(request.header("x-api-key")).toBeUndefined();
    expect(request.header("cookie")).toBe("a=1; b=2");
    const only = await forwarded("/api/x?ticket=abc", ["Cookie: session=abc"]);
    expect(only.target).toBe("/api/x");
    expect(only.header("cookie")).toBeUndefined();
  });

  test.each([
    "session=abc",
    "session =abc",
    "a=1;session=abc",
    'session="abc"',
    "a=1; session=abc;",
    "session=abc; session=d",
  ])("in the cookies %s is dropped", async (cookies) => {
    await start({ credential: "drop", config });
    expect((await forwarded("/api/x", [`Cookie: ${cookies}`])).header("cookie") ?? "").not.toMatch(/session/);
  });

  test.each([
    "/api/x?ticket=abc",
    "/api/x?tic%6bet=abc",
    "/api/x?a=1&ticket=abc",
    "/api/x?ticket=abc&ticket=d",
    "/api/x?&ticket=abc",
  ])("in %s is dropped", async (path) => {
    await start({ credential: "drop", config });
    const { searchParams } = new URL((await forwarded(path)).target, "http://x");
    expect(searchParams.has("ticket")).toBe(false);
  });

  test("is replaced by the gateway's own", async () => {
    await start({ credential: { set: "Bearer own" }, config });
    const request = await forwarded(target, sent);
    expect(request.header("authorization")).toBe("Bearer own");
    expect(request.target).toBe("/api/x?a=1&b=2");
  });
});

test("headers are set and removed, both ways", async () => {
  const request = { set: { "x-own": "1" }, remove: ["x-gone"] };
  const response = { set: { "x-frame-options": "DENY" }, remove: ["server"] };
  await start({ headers: { request, response } });
  answer = whole("done", "Server: x", "X-Frame-Options: SAMEORIGIN", "X-Frame-Options: ALLOW");
  const seen = await forwarded("/api/x", ["X-Own: client's", "X-Own: twice", "X-Gone: 1"]);
  expect(seen.header("x-own")).toBe("1");
  expect(seen.header("x-gone")).toBeUndefined();
  const text = await ask("/api/x");
  expect(text.match(/^x-frame-options: .*$/gim)).toEqual(["X-Frame-Options: DENY"]);
  expect(text).not.toMatch(/^server:/im);
});

test.each(["TRACE", "CONNECT"])("%s is not forwarded", async (method) => {
  await start();
  expect(await ask("/api/x", [], method)).toMatch(/^HTTP\/1\.1 (405|501|400) /);
  expect(origin.connections).toEqual([]);
});

test("repeated headers stay apart, and empty ones stay", async () => {
  await start();
  const request = await forwarded("/api/x", ["X-A: 1", "X-B:", "X-A: 2", "Cookie: a=1", "Accept: a", "Accept: b"]);
  expect(request.headers.filter(([name]) => name === "x-a")).toEqual([
    ["x-a", "1"],
    ["x-a", "2"],
  ]);
  expect(request.header("x-b")).toBe("");
  expect(request.header("accept")).toBe("a, b");
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Access } from "../../../src/access/access.ts";
import { createKey, hashKey } from "../../../src/access/keys.ts";
import type { AccessConfig, AuthorizeConfig } from "../../../src/config/config.ts";
import { accessOf, bearer, errorOf, outcome, requestOf, subjectOf } from "./support.ts";

interface Asked {
  readonly method: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

let server: Server;
let asked: Asked[];
let answer: (response: ServerResponse, body: Record<string, unknown>) => void;

beforeEach(async () => {
  asked = [];
  answer = (response) => response.end('{"subject":"ada","can":["subscribe"],"channels":["user:1"]}');
  server = createServer((request, response) => {
    void (async () => {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      const body = JSON.parse(text) as Record<string, unknown>;
      asked.push({ method: request.method, headers: request.headers, body });
      answer(response, body);
    })();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

function serviceAccess(service: Partial<AuthorizeConfig> = {}, more: AccessConfig = {}): Access {
  const { port } = server.address() as AddressInfo;
  return accessOf({ authorize: { url: `http://127.0.0.1:${port}/may?key=1`, timeout: "20s", ...service }, ...more });
}

test("the service gets the details of the request, and its answer is the identity", async () => {
  const headers = {
    "authorization": "Basic YTpi",
    "cookie": "a=1",
    "x-api-key": "k",
    "origin": "https://app.example",
    "accept": "x",
    "x-other": "y",
  };
  const request = requestOf({ headers, address: "192.0.2.1", query: "ticket-like=1" });
  expect(await outcome(serviceAccess(), request, "prices")).toMatchObject({
    subject: "ada",
    grant: { can: ["subscribe"], channels: ["user:1"], streams: undefined },
    recognized: { by: "authorize" },
  });
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    method: "POST",
    body: { stream: "prices", method: "GET", path: "/streams/prices", address: "192.0.2.1" },
    headers: {
      "authorization": "Basic YTpi",
      "cookie": "a=1",
      "x-api-key": "k",
      "origin": "https://app.example",
      "content-type": "application/json",
    },
  });
  expect(asked[0]!.headers["x-other"]).toBeUndefined();
});

test("the service is asked about clients without a credential or with an unknown one, and about no others", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const key = createKey();
  const sign = (exp: number): Promise<string> =>
    new SignJWT({ sub: "bob", exp }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));
  const access = serviceAccess(
    {},
    { anonymous: ["admin"], keys: [{ name: "web", hash: hashKey(key) }], jwt: { secret }, cookie: "s" },
  );
  for (const headers of [
    {},
    { authorization: "Basic x" },
    { authorization: "Bearer x" },
    { "x-api-key": "x" },
    { cookie: "s=x" },
  ]) {
    expect(await subjectOf(access, requestOf({ headers }))).toBe("ada");
  }
  const { length } = asked;
  expect(await subjectOf(access, bearer(key))).toBe("key:web");
  expect(await subjectOf(access, bearer(createKey()))).toBe("credential-invalid");
  expect(await subjectOf(access, bearer(await sign(Date.now() / 1000 + 60)))).toBe("jwt:bob");
  expect(await subjectOf(access, bearer(await sign(1)))).toBe("credential-expired");
  expect(await subjectOf(access, requestOf({ query: "ticket=x" }))).toBe("ticket-invalid");
  expect(asked).toHaveLength(length);
});

test.each([
  [401, "credential-invalid"],
  [403, "access-denied"],
  [204, "authorize-unavailable"],
  [302, "authorize-unavailable"],
  [404, "authorize-unavailable"],
  [500, "authorize-unavailable"],
])("status %i means %s", async (status, code) => {
  answer = (response) => response.writeHead(status, { location: "/elsewhere" }).end();
  expect(await subjectOf(serviceAccess(), requestOf({}))).toBe(code);
  expect(asked).toHaveLength(1);
});

test.each([
  "",
  "no JSON",
  "null",
  "[]",
  '"subscribe"',
  '{"ok":true}',
  '{"can":"subscribe"}',
  '{"can":["fly"]}',
  '{"can":null}',
  '{"channels":"user:1"}',
  '{"channels":[1]}',
  '{"streams":[""]}',
  '{"events":null}',
  '{"channel":["user:1"]}',
  '{"subject":""}',
  '{"subject":7}',
  '{"subject":"a\\nb"}',
  '{"expiresAt":"tomorrow"}',
  '{"expiresAt":"2099-01-01"}',
  '{"expiresAt":null}',
  `{"subject":"${"x".repeat(100_000)}"}`,
])("an answer of %s is invalid", async (text) => {
  answer = (response) => response.end(text);
  expect(await subjectOf(serviceAccess(), requestOf({}))).toBe("authorize-unavailable");
});

test("an answer may have an expiry, and is not used after it", async () => {
  const end = Date.now() + 1000;
  answer = (response) => response.end(JSON.stringify({ expiresAt: new Date(end).toISOString() }));
  const access = serviceAccess({ cache: "1h" });
  expect(await outcome(access, requestOf({}))).toMatchObject({
    subject: "anonymous",
    grant: { can: ["subscribe"] },
    expiresAt: end,
  });
  vi.useFakeTimers({ toFake: ["Date"], now: end });
  try {
    expect(await subjectOf(access, requestOf({}))).toBe("credential-expired");
  } finally {
    vi.useRealTimers();
  }
});

test("a service that is too slow or unreachable denies access", async () => {
  answer = () => undefined;
  const access = serviceAccess({ timeout: "50ms" });
  const error = await errorOf(() => access.identify(requestOf({}), undefined));
  expect([error.code, error.retryAfter]).toEqual(["authorize-unavailable", 5]);
  // Headers alone are not a response either.
  answer = (response) => response.writeHead(200).write("{");
  expect(await subjectOf(access, requestOf({}))).toBe("authorize-unavailable");
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  expect(await subjectOf(access, requestOf({}))).toBe("authorize-unavailable");
});

test("equal requests are sent once, whether simultaneous or within the cache time", async () => {
  const access = serviceAccess({ cache: "1h" });
  const ask = (): Promise<string> =>
    subjectOf(access, requestOf({ headers: { cookie: "a" }, address: "192.0.2.1" }), "prices");
  await Promise.all(Array.from({ length: 50 }, ask));
  await ask();
  expect(asked).toHaveLength(1);
});

test("another credential, stream, address, method or path is another request", async () => {
  const access = serviceAccess({ cache: "1h" });
  const base = { headers: { cookie: "a" }, address: "192.0.2.1" };
  const others = [
    base,
    { ...base, headers: { cookie: "b" } },
    { ...base, headers: { authorization: "Basic a" } },
    { ...base, headers: { cookie: "a", origin: "https://evil.example" } },
    { ...base, address: "192.0.2.2" },
    { ...base, method: "POST" },
    { ...base, path: "/streams/other" },
  ];
  answer = (response) => response.end(JSON.stringify({ subject: String(asked.length) }));
  const subjects = await Promise.all(others.map((parts) => subjectOf(access, requestOf(parts), "prices")));
  subjects.push(await subjectOf(access, requestOf(base), "quotes"));
  expect(new Set(subjects).size).toBe(others.length + 1);
});

test("a refusal is cached, a failure is not, and with a cache of zero nothing is", async () => {
  const ask = (access: Access): Promise<string> => subjectOf(access, requestOf({}));
  const access = serviceAccess({ cache: "1h" });
  answer = (response) => response.writeHead(500).end();
  expect(await ask(access)).toBe("authorize-unavailable");
  answer = (response) => response.writeHead(403).end();
  expect([await ask(access), await ask(access)]).toEqual(["access-denied", "access-denied"]);
  expect(asked).toHaveLength(2);
  const without = serviceAccess({ cache: 0 });
  await ask(without);
  await ask(without);
  expect(asked).toHaveLength(4);
});

test("more requests than run at once are all answered", async () => {
  answer = (response, { path }) => response.end(JSON.stringify({ subject: String(path) }));
  const access = serviceAccess();
  const paths = Array.from({ length: 300 }, (_, index) => `/streams/${index}`);
  expect(await Promise.all(paths.map((path) => subjectOf(access, requestOf({ path }))))).toEqual(paths);
});

test("the log says why the service could not be asked, without address, credential or answer", async () => {
  const lines: object[] = [];
  const warn = (fields: object, message: string): void => void lines.push({ ...fields, message });
  answer = (response) => response.end("hunter2");
  const { port } = server.address() as AddressInfo;
  const authorize = { url: `http://127.0.0.1:${port}/?key=hunter2` };
  await subjectOf(accessOf({ authorize }, { logger: { debug() {}, info() {}, warn, error() {} } }), bearer("hunter2"));
  expect(lines).toEqual([{ reason: "SyntaxError", message: "the authorize service is unavailable" }]);
});

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { accessOf, bearer, outcome, subjectOf } from "./support.ts";

const minute = 60_000;

/** An issuer with a real key set, which rotates, goes down and comes back. */
class Issuer {
  requests = 0;
  answer: (response: ServerResponse) => void = (response) => response.end(this.keySet());
  private readonly keys = new Map<string, KeyObject>();
  private readonly secrets = new Map<string, KeyObject>();
  private server: Server | undefined;
  private port = 0;

  async start(): Promise<void> {
    this.server = createServer((_, response) => {
      this.requests++;
      this.answer(response);
    });
    await new Promise<void>((done) => this.server!.listen(this.port, "127.0.0.1", done));
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/jwks.json`;
  }

  keySet(): string {
    return JSON.stringify({
      keys: Array.from(this.keys, ([kid, key]) => ({ ...key.export({ format: "jwk" }), kid, alg: "ES256" })),
    });
  }

  /** Leaves only this key. */
  rotate(kid: string): void {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.keys.clear();
    this.keys.set(kid, publicKey);
    this.secrets.set(kid, privateKey);
  }

  sign(kid: string, sub = "ada"): Promise<string> {
    return new SignJWT({ sub }).setProtectedHeader({ alg: "ES256", kid }).sign(this.secrets.get(kid)!);
  }
}

let issuer: Issuer;

beforeEach(async () => {
  issuer = new Issuer();
  issuer.rotate("a");
  await issuer.start();
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await issuer.stop();
});

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

test("the key set is fetched once for many tokens, also for simultaneous ones", async () => {
  const access = accessOf({ jwt: { jwks: issuer.url } });
  expect(issuer.requests).toBe(0);
  const token = bearer(await issuer.sign("a"));
  expect(await Promise.all(Array.from({ length: 20 }, () => subjectOf(access, token)))).toEqual(
    Array(20).fill("jwt:ada"),
  );
  expect(issuer.requests).toBe(1);
});

test("a new key is fetched when the first token names it, but clients cannot trigger repeated requests", async () => {
  const access = accessOf({ jwt: { jwks: issuer.url } });
  expect(await subjectOf(access, bearer(await issuer.sign("a")))).toBe("jwt:ada");
  issuer.rotate("b");
  const token = bearer(await issuer.sign("b"));
  expect(await subjectOf(access, token)).toBe("credential-invalid");
  expect(issuer.requests).toBe(1);
  pass(minute);
  expect(await subjectOf(access, token)).toBe("jwt:ada");
  expect(await subjectOf(access, bearer(await issuer.sign("a")))).toBe("credential-invalid");
  expect(issuer.requests).toBe(2);
});

test("the last key set is used for a day while the issuer is unreachable, and later once it is reachable again", async () => {
  const access = accessOf({ jwt: { jwks: issuer.url } });
  const token = bearer(await issuer.sign("a"));
  expect(await subjectOf(access, token)).toBe("jwt:ada");
  await issuer.stop();
  for (let hour = 0; hour < 23; hour++) {
    pass(60 * minute);
    expect(await subjectOf(access, token)).toBe("jwt:ada");
  }
  pass(61 * minute);
  expect(await subjectOf(access, token)).toBe("issuer-unavailable");
  await issuer.start();
  pass(minute);
  expect(await subjectOf(access, token)).toBe("jwt:ada");
});

test("a changed configuration of the same issuer keeps the keys already fetched", async () => {
  const jwt = { jwks: issuer.url };
  const before = accessOf({ jwt });
  const token = bearer(await issuer.sign("a"));
  expect(await subjectOf(before, token)).toBe("jwt:ada");
  await issuer.stop();
  expect(await subjectOf(accessOf({ jwt, anonymous: ["subscribe"] }, { previous: before }), token)).toBe("jwt:ada");
  expect(await subjectOf(accessOf({ jwt }), token)).toBe("issuer-unavailable");
});

test("a key that may be newer than the last key set is not reported as unknown", async () => {
  const access = accessOf({ jwt: { jwks: issuer.url } });
  expect(await subjectOf(access, bearer(await issuer.sign("a")))).toBe("jwt:ada");
  issuer.rotate("b");
  await issuer.stop();
  pass(minute);
  const token = bearer(await issuer.sign("b"));
  expect(await subjectOf(access, token)).toBe("issuer-unavailable");
  await issuer.start();
  pass(minute);
  expect(await subjectOf(access, token)).toBe("jwt:ada");
});

test.each<[string, (response: ServerResponse) => void]>([
  ["an error", (response) => response.writeHead(500).end()],
  ["a redirect", (response) => response.writeHead(302, { location: "http://127.0.0.1:9/" }).end()],
  ["no JSON", (response) => response.end("<html>")],
  ["another JSON", (response) => response.end('{"keys":[1]}')],
  ["too much", (response) => response.end(" ".repeat(2 * 1024 * 1024))],
  [
    "half an answer",
    (response) => response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
  ],
])(
  "%s is not a key set: the last one stays, and without one nobody is accepted or reported as unknown",
  async (_, answer) => {
    const [warm, cold] = [accessOf({ jwt: { jwks: issuer.url } }), accessOf({ jwt: { jwks: issuer.url } })];
    const token = bearer(await issuer.sign("a"));
    expect(await subjectOf(warm, token)).toBe("jwt:ada");
    issuer.answer = answer;
    pass(20 * minute);
    expect(await subjectOf(warm, token)).toBe("jwt:ada");
    expect(await subjectOf(cold, token)).toBe("issuer-unavailable");
    const { requests } = issuer;
    expect(await subjectOf(cold, token)).toBe("issuer-unavailable");
    expect(issuer.requests).toBe(requests);
    issuer.answer = (response) => response.end(issuer.keySet());
    pass(minute);
    expect(await subjectOf(cold, token)).toBe("jwt:ada");
  },
);

test("the log says that the issuer is unreachable, without its address", async () => {
  const lines: object[] = [];
  const warn = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const logger = { debug() {}, info() {}, warn, error() {} };
  await issuer.stop();
  const access = accessOf({ jwt: { jwks: `${issuer.url}?key=hunter2` } }, { logger });
  expect(await outcome(access, bearer(await issuer.sign("a")))).toBe("issuer-unavailable");
  expect(lines).toEqual([{ reason: "ECONNREFUSED", usesLast: false, message: "the issuer's keys are unavailable" }]);
});

import { SignJWT } from "jose";
import { expect, test } from "vitest";
import type { Access } from "../../../src/access/access.ts";
import type { Identity } from "../../../src/access/identity.ts";
import { createKey, hashKey } from "../../../src/access/keys.ts";
import { createTickets } from "../../../src/access/tickets.ts";
import type { AccessConfig } from "../../../src/config/config.ts";
import { accessOf, bearer, outcome, requestOf, ticketRules } from "./support.ts";

const secret = "0123456789abcdef0123456789abcdef";
const key = createKey();
const keys = [{ name: "web", hash: hashKey(key), channels: ["user:*"] }];

async function recognized(access: Access, text?: string): Promise<Identity> {
  const identity = await outcome(access, text === undefined ? requestOf({}) : bearer(text));
  if (typeof identity === "string") throw new Error(identity);
  // As from another process.
  return JSON.parse(JSON.stringify(identity)) as Identity;
}

test("an anonymous client gets the current anonymous grant, and is refused once a service decides", async () => {
  const identity = await recognized(accessOf({ anonymous: ["subscribe"] }));
  expect(accessOf({ anonymous: ["publish"] }).review(identity)).toMatchObject({ grant: { can: ["publish"] } });
  expect(accessOf({}).review(identity)).toMatchObject({ grant: { can: [] } });
  expect(accessOf({ authorize: () => ({}) }).review(identity)).toBeUndefined();
});

test("a key is identified by its hash: its name, grant and expiry may change, or it may be revoked", async () => {
  const identity = await recognized(accessOf({ keys }), key);
  const expires = "2099-01-01T00:00:00Z";
  expect(
    accessOf({ keys: [{ name: "site", hash: hashKey(key), can: ["publish"], expires }] }).review(identity),
  ).toMatchObject({
    subject: "key:site",
    grant: { can: ["publish"] },
    expiresAt: Date.parse(expires),
  });
  expect(accessOf({ keys: [{ name: "web", hash: hashKey(createKey()) }] }).review(identity)).toBeUndefined();
});

test("a token stays valid while the options are unchanged", async () => {
  const token = await new SignJWT({ sub: "ada" })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));
  const identity = await recognized(accessOf({ jwt: { secret } }), token);
  expect(accessOf({ jwt: { secret }, keys }).review(identity)).toEqual(identity);
  const others: AccessConfig[] = [
    {},
    { jwt: { secret: secret.toUpperCase() } },
    { jwt: { secret, audience: "a" } },
    { jwt: { secret, issuer: "a" } },
    { jwt: { secret, can: ["subscribe"] } },
    { jwt: { secret, claims: { channels: "claim:a" } } },
    { jwt: { secret, algorithms: ["HS512"] } },
  ];
  for (const config of others) expect(accessOf(config).review(identity)).toBeUndefined();
  expect(JSON.stringify(identity)).not.toContain(secret);
});

test("a decision stays valid while the same service decides", async () => {
  const [first, second] = [() => ({ subject: "ada" }), () => ({ subject: "ada" })];
  const identity = await recognized(accessOf({ authorize: first }));
  expect(accessOf({ authorize: first }).review(identity)).toEqual(identity);
  expect(accessOf({ authorize: second }).review(identity)).toBeUndefined();
  expect(accessOf({ authorize: { url: "http://127.0.0.1:1" } }).review(identity)).toBeUndefined();
  expect(accessOf({}).review(identity)).toBeUndefined();
});

test("a client with a ticket stays narrowed, expires no later, and loses access with the holder", async () => {
  const tickets = createTickets(ticketRules);
  const before = accessOf({ keys }, { tickets });
  const holder = await recognized(before, key);
  const identity = tickets.redeem(tickets.issue({ holder, stream: "prices", channels: ["user:7"] }).ticket);
  const after = (
    config: Partial<(typeof keys)[number]> & { can?: ["publish"]; expires?: string },
  ): Identity | undefined => accessOf({ keys: [{ ...keys[0]!, ...config }] }).review(identity);
  expect(after({})).toEqual(identity);
  expect(after({ channels: ["user:7", "all"] })).toMatchObject({
    grant: { streams: ["prices"], channels: ["user:7"] },
    expiresAt: identity.expiresAt,
  });
  const soon = new Date(Date.now() + 30_000).toISOString();
  expect(after({ expires: soon })?.expiresAt).toBe(Date.parse(soon));
  expect(after({ channels: ["user:8"] })).toBeUndefined();
  expect(after({ can: ["publish"] })).toBeUndefined();
  expect(accessOf({}).review(identity)).toBeUndefined();
});

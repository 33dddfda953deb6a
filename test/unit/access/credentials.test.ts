import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { createKey, hashKey } from "../../../src/access/keys.ts";
import { createTickets } from "../../../src/access/tickets.ts";
import { accessOf, bearer, requestOf, subjectOf, ticketRules } from "./support.ts";

const secret = "0123456789abcdef0123456789abcdef";
const key = createKey();
const keys = [{ name: "web", hash: hashKey(key) }];
const token = await new SignJWT({ sub: "ada" })
  .setProtectedHeader({ alg: "HS256" })
  .sign(new TextEncoder().encode(secret));

function everything(): Parameters<typeof accessOf>[0] {
  return { anonymous: ["subscribe"], keys, jwt: { secret }, cookie: "session" };
}

test("a client without a credential is anonymous, synchronously", () => {
  expect(accessOf(everything()).identify(requestOf({}), "prices")).toEqual({
    subject: "anonymous",
    grant: { can: ["subscribe"] },
    recognized: { by: "anonymous" },
  });
});

test("only the first credential is used: Authorization, X-API-Key, ticket, cookie", async () => {
  const tickets = createTickets(ticketRules);
  const access = accessOf(everything(), { tickets });
  const holder = {
    subject: "holder",
    grant: { can: ["subscribe" as const] },
    recognized: { by: "anonymous" as const },
  };
  const { ticket } = tickets.issue({ holder, stream: "prices" });
  const good = {
    authorization: { headers: { authorization: `bearer ${key}` } },
    key: { headers: { "x-api-key": key } },
    ticket: { query: `ticket=${ticket}` },
    cookie: { headers: { cookie: `other=1; session=${token}` } },
  };
  for (const parts of Object.values(good)) {
    expect(await subjectOf(access, requestOf(parts))).toBe(
      parts === good.ticket ? "holder" : parts === good.cookie ? "jwt:ada" : "key:web",
    );
  }
  const behind = { query: `ticket=${ticket}`, headers: { ...good.cookie.headers, ...good.key.headers } };
  const wrong = { ...behind, headers: { ...behind.headers, authorization: "Bearer wrong" } };
  expect(await subjectOf(access, requestOf(wrong))).toBe("credential-invalid");
  expect(
    await subjectOf(access, requestOf({ ...behind, headers: { ...behind.headers, "x-api-key": "spw_wrong" } })),
  ).toBe("credential-invalid");
  expect(await subjectOf(access, requestOf({ query: "ticket=wrong", headers: good.cookie.headers }))).toBe(
    "ticket-invalid",
  );
});

test.each<[string, Parameters<typeof requestOf>[0], string]>([
  ["a key", { headers: { authorization: `Bearer ${createKey()}` } }, "credential-invalid"],
  ["a token", { headers: { authorization: "Bearer a.b.c" } }, "credential-invalid"],
  ["an empty token", { headers: { authorization: "Bearer " } }, "credential-invalid"],
  ["two headers", { headers: { authorization: `Bearer ${key}, Bearer ${key}` } }, "credential-invalid"],
  ["an X-API-Key", { headers: { "x-api-key": "something" } }, "credential-invalid"],
  ["a ticket", { query: "ticket=" }, "ticket-invalid"],
])("a client with %s that is unknown is not anonymous", async (_, parts, code) => {
  expect(await subjectOf(accessOf(everything()), requestOf(parts))).toBe(code);
});

const foreign: ReadonlyArray<Readonly<Record<string, string>>> = [
  { authorization: "Basic YTpi", cookie: "session=x" },
  { authorization: "Bearer a.b.c" },
  { "authorization": "Basic YTpi", "x-api-key": "x" },
];

test.each(foreign)("%o is refused, except by a gateway that takes no credentials at all", async (headers) => {
  const request = requestOf({ headers });
  expect(await subjectOf(accessOf({ keys }), request)).toBe("credential-invalid");
  expect(await subjectOf(accessOf({ jwt: { secret } }), request)).toBe("credential-invalid");
  expect(await subjectOf(accessOf({}), request)).toBe("anonymous");
});

test("a credential that can only be meant for the gateway is refused even if it takes no credentials", async () => {
  const access = accessOf({ anonymous: ["subscribe"] });
  expect(await subjectOf(access, bearer(createKey()))).toBe("credential-invalid");
  expect(await subjectOf(access, requestOf({ headers: { "x-api-key": createKey() } }))).toBe("credential-invalid");
  expect(await subjectOf(access, requestOf({ query: "ticket=x" }))).toBe("ticket-invalid");
});

test("only options that can make a difference count as taking credentials", () => {
  expect(accessOf({ anonymous: ["subscribe"] }).takesCredentials).toBe(false);
  expect(accessOf({ keys }).takesCredentials).toBe(true);
  expect(accessOf({ jwt: { secret } }).takesCredentials).toBe(true);
  expect(accessOf({ authorize: () => undefined }).takesCredentials).toBe(true);
});

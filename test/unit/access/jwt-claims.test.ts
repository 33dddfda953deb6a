import * as fc from "fast-check";
import { SignJWT, type JWTPayload } from "jose";
import { expect, test } from "vitest";
import { allows, permits, type Grant } from "../../../src/access/identity.ts";
import { grantOf } from "../../../src/access/jwt.ts";
import type { JwtConfig } from "../../../src/config/config.ts";
import { accessOf, bearer, outcome } from "./support.ts";

const secret = "0123456789abcdef0123456789abcdef";

/** The grant of a real token with these claims. */
async function grantBy(claims: JWTPayload, jwt: JwtConfig = {}): Promise<Grant> {
  const key = new TextEncoder().encode(secret);
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(key);
  const identity = await outcome(accessOf({ jwt: { secret, ...jwt } }), bearer(token));
  if (typeof identity === "string") throw new Error(identity);
  return identity.grant;
}

const byTenant: JwtConfig = { can: ["subscribe"], claims: { channels: "claim:tenant → tenant:{}" } };

test("a mapped claim inserts each of its values into the template", async () => {
  expect(await grantBy({ tenant: "acme" }, byTenant)).toMatchObject({ can: ["subscribe"], channels: ["tenant:acme"] });
  expect(await grantBy({ tenant: ["a", "b"] }, byTenant)).toMatchObject({ channels: ["tenant:a", "tenant:b"] });
  expect(await grantBy({ tenant: "$&" }, byTenant)).toMatchObject({ channels: ["tenant:$&"] });
  const plain: JwtConfig = { can: ["subscribe"], claims: { streams: "claim:https://app.example/streams" } };
  expect(await grantBy({ "https://app.example/streams": ["prices"] }, plain)).toMatchObject({ streams: ["prices"] });
});

test("a mapped claim replaces the member, even if the token does not have the claim", async () => {
  expect(await grantBy({ spillway: { channels: ["all"] } }, byTenant)).toMatchObject({ channels: [] });
  expect(await grantBy({ tenant: "acme", spillway: { channels: ["*"] } }, byTenant)).toMatchObject({
    channels: ["tenant:acme"],
  });
});

test.each([
  [{}],
  [{ tenant: null }],
  [{ tenant: 7 }],
  [{ tenant: "" }],
  [{ tenant: ["*", "a*", "a,b", "a\nb"] }],
  [{ tenant: { a: 1 } }],
])("a mapped claim grants nothing for %o", async (claims) => {
  expect((await grantBy(claims, byTenant)).channels).toEqual([]);
});

test("a value of a mapped claim grants at most one channel", () => {
  const mapping = { claim: "tenant", template: "tenant:{}" };
  const options = {
    can: ["subscribe" as const],
    broadcast: false,
    claims: { streams: undefined, routes: undefined, channels: mapping, events: undefined },
  };
  const value = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom("*", "a", ",", "\n", "{}", "$", ":") }),
  );
  fc.assert(
    fc.property(value, fc.string(), (tenant, other) => {
      const { channels } = grantOf({ tenant }, options);
      expect(allows(channels, `tenant:${other}`)).toBe((channels?.length ?? 0) > 0 && other === tenant);
      expect(allows(channels, other)).toBe((channels?.length ?? 0) > 0 && other === `tenant:${tenant}`);
    }),
  );
});

test.each([
  [null],
  ["subscribe"],
  [["subscribe"]],
  [7],
  [{ channel: ["user:1"] }],
  [{ can: "subscribe" }],
  [{ can: null }],
  [{ can: {} }],
])("a spillway claim of %o grants nothing", async (spillway) => {
  expect((await grantBy({ spillway })).can).toEqual([]);
});

test("a claim that is not an object also removes the rights of every token", async () => {
  expect(await grantBy({ spillway: "all" }, { can: ["subscribe"] })).toMatchObject({ can: [] });
});

test("members of the wrong type grant nothing", async () => {
  const grant = await grantBy({
    spillway: { can: ["subscribe", "fly", 1], streams: "prices", channels: ["a", 1, null], events: {} },
  });
  expect(grant).toMatchObject({ can: ["subscribe"], streams: [], channels: ["a"], events: [] });
});

test("whatever the claim contains, only rights that it names are granted, on streams that it names", () => {
  const options = {
    can: [],
    broadcast: false,
    claims: { streams: undefined, routes: undefined, channels: undefined, events: undefined },
  };
  const member = fc.oneof(fc.jsonValue(), fc.array(fc.constantFrom("subscribe", "publish", "prices")));
  fc.assert(
    fc.property(fc.record({ can: member, streams: member }, { requiredKeys: [] }), (spillway) => {
      const grant = grantOf({ spillway }, options);
      for (const right of grant.can) {
        expect(spillway.can === undefined ? ["subscribe"] : spillway.can).toContain(right);
      }
      expect(grantOf({ spillway: { ...spillway, channel: [] } }, options).can).toEqual([]);
      if (spillway.streams !== undefined && !Array.isArray(spillway.streams)) {
        expect(permits(grant, "subscribe", "prices")).toBe(false);
      }
    }),
  );
});

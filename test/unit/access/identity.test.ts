import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allows, narrowGrant, permits, type Grant } from "../../../src/access/identity.ts";

const name = fc.string({ unit: fc.constantFrom("a", "b", ":"), maxLength: 5 });
const pattern = fc.string({ unit: fc.constantFrom("a", "b", ":", "*"), maxLength: 5 });
const patterns = fc.option(fc.array(pattern, { maxLength: 3 }), { nil: undefined });
const grant: fc.Arbitrary<Grant> = fc.record({
  can: fc.subarray(["subscribe", "publish", "admin"] as const),
  streams: patterns,
  channels: patterns,
  events: patterns,
});
const scope = fc.record({ stream: pattern, channels: patterns });

test("a narrowed grant allows nothing that the original grant does not, and nothing outside its scope", () => {
  fc.assert(
    fc.property(grant, scope, name, name, (whole, part, stream, channel) => {
      const narrowed = narrowGrant(whole, part);
      if (!narrowed) return;
      expect(narrowed.can).toEqual(["subscribe"]);
      if (permits(narrowed, "subscribe", stream)) expect(permits(whole, "subscribe", stream)).toBe(true);
      if (!allows(narrowed.channels, channel)) return;
      expect(allows(whole.channels, channel)).toBe(true);
      expect(allows(part.channels, channel)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("everything in the grant can be requested, also by its own patterns", () => {
  fc.assert(
    fc.property(grant, name, (whole, stream) => {
      const channels = whole.channels;
      expect(narrowGrant(whole, { stream, channels }) !== undefined).toBe(permits(whole, "subscribe", stream));
    }),
  );
});

test("narrowing again changes nothing", () => {
  fc.assert(
    fc.property(grant, scope, (whole, part) => {
      const narrowed = narrowGrant(whole, part);
      if (narrowed) expect(narrowGrant(narrowed, part)).toEqual(narrowed);
    }),
  );
});

test("the right to use routes is granted by their path patterns, whatever streams are granted", () => {
  const routes: Grant = { can: ["proxy", "subscribe"], streams: [], routes: ["/api/**", "/feeds/*"] };
  expect(["/api/**", "/feeds/a", "/other"].map((route) => permits(routes, "proxy", route))).toEqual([
    true,
    true,
    false,
  ]);
  expect(permits(routes, "subscribe", "/api/**")).toBe(false);
  expect(permits({ can: ["proxy"] }, "proxy", "/any")).toBe(true);
  expect(permits({ can: ["subscribe"] }, "proxy", "/any")).toBe(false);
});

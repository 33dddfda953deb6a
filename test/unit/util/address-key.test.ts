import { isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { addressKey } from "../../../src/util/address-key.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("%s counts as %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test("two IPv6 addresses count as one exactly if their first 64 bits are the same, however they are written", () => {
  const group = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(0xffff));
  const groups = fc.tuple(group, group, group, group, group, group, group, group);
  fc.assert(
    fc.property(groups, groups, fc.boolean(), (a, b, sameNetwork) => {
      const other = sameNetwork ? [...a.slice(0, 4), ...b.slice(4)] : b;
      const expected = a.slice(0, 4).join() === other.slice(0, 4).join();
      const long = a.map((value) => value.toString(16).padStart(4, "0").toUpperCase()).join(":");
      const short = shorten(other);
      expect(isIPv6(long) && isIPv6(short)).toBe(true);
      expect(addressKey(long) === addressKey(short)).toBe(expected);
    }),
  );
});

/** The usual short form, which a URL has. */
function shorten(groups: readonly number[]): string {
  return new URL(`http://[${groups.map((value) => value.toString(16)).join(":")}]/`).hostname.slice(1, -1);
}

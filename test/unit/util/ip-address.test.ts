import { isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addressKey,
  createNetworkMatcher,
  isLoopback,
  isNetwork,
  normalizeAddress,
} from "../../../src/util/ip-address.ts";

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
])("%s is counted as %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test("two IPv6 addresses are counted as one exactly if their first 64 bits are the same, however they are written", () => {
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

/** The usual short form, as in a URL. */
function shorten(groups: readonly number[]): string {
  return new URL(`http://[${groups.map((value) => value.toString(16)).join(":")}]/`).hostname.slice(1, -1);
}

test.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"])(
  "%s is loopback",
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

test.each([
  "",
  "127.1",
  "128.0.0.1",
  "::",
  "::2",
  "localhost.example",
  "127.0.0.1.example",
  "0x7f.0.0.1",
  "127.0.0.256",
])("%j is not loopback", (host) => {
  expect(isLoopback(host)).toBe(false);
});

test.each([
  "10.0.0.1",
  "10.0.0.0/8",
  "0.0.0.0/0",
  "10.0.0.0/32",
  "fd00::/8",
  "::1",
  "::/0",
  "::1/128",
  "::ffff:10.0.0.0/104",
])("%s is an address or a network", (text) => {
  expect(isNetwork(text)).toBe(true);
});

test.each([
  "",
  "10",
  "10.0/8",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "fd00::/129",
  "::ffff:10.0.0.0/8",
  "proxy",
])("%j is neither an address nor a network", (text) => {
  expect(isNetwork(text)).toBe(false);
});

test.each(["", "10", "127.1", "010.0.0.1", "0x0a.0.0.1", "1.2.3.4.5", "256.0.0.1", "1::2::3", ":::", "example"])(
  "%j is not an address",
  (text) => {
    expect(normalizeAddress(text)).toBeUndefined();
  },
);

test("an IPv4-mapped IPv6 network contains the same addresses as the IPv4 network", () => {
  const isMember = createNetworkMatcher(["::ffff:10.0.0.0/104"]);
  const addresses = ["10.1.2.3", "::ffff:10.1.2.3", "11.0.0.1", "::a01:203", "none"];
  expect(addresses.map(isMember)).toEqual([true, true, false, false, false]);
});

test("every IPv6 address has one canonical text, in any notation", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
      const expected = canonical.startsWith("::ffff:") ? normalizeAddress(canonical) : canonical;
      expect(normalizeAddress(text)).toBe(expected);
    }),
  );
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createClientAddress } from "../../../src/access/origin.ts";
import { requestOf } from "./support.ts";

const client = createClientAddress(["10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1"]);

function addressOf(address: string | undefined, forwarded?: string): string | undefined {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return client.addressOf(requestOf({ headers, ...(address === undefined ? {} : { address }) }));
}

test.each<[string | undefined, string | undefined, string | undefined]>([
  ["203.0.113.9", undefined, "203.0.113.9"],
  ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
  [undefined, "198.51.100.1", undefined],
  ["10.1.2.3", undefined, "10.1.2.3"],
  ["10.1.2.3", "198.51.100.1", "198.51.100.1"],
  ["::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"],
  ["::ffff:a01:203", "198.51.100.1", "198.51.100.1"],
  ["::1", "2001:DB8:0:0::1", "2001:db8::1"],
  ["fd00::1%eth0", "::ffff:198.51.100.1", "198.51.100.1"],
  ["10.1.2.3", "6.6.6.6, 198.51.100.1, 192.0.2.1, 10.9.9.9", "198.51.100.1"],
  ["10.1.2.3", "10.0.0.7, 10.0.0.8", "10.0.0.7"],
  ["10.1.2.3", "198.51.100.1:4711", "198.51.100.1"],
  ["10.1.2.3", "[2001:db8::1]:4711", "2001:db8::1"],
  ["10.1.2.3", "198.51.100.1, unknown", "10.1.2.3"],
  ["10.1.2.3", "198.51.100.1, unknown, 10.0.0.8", "10.0.0.8"],
  ["10.1.2.3", ", ,", "10.1.2.3"],
  ["10.1.2.3", "1.2.3.4.5", "10.1.2.3"],
])("a client from %s with X-Forwarded-For %s has the address %s", (peer, forwarded, address) => {
  expect(addressOf(peer, forwarded)).toBe(address);
});

test("values that a client puts before the proxy's do not change its address", () => {
  const sent = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant("10.0.0.1"))).map((list) => list.join(", ")),
  );
  fc.assert(
    fc.property(sent, (text) => {
      expect(addressOf("10.1.2.3", `${text}, 198.51.100.1, 10.0.0.8`)).toBe("198.51.100.1");
    }),
  );
});

test("without trusted proxies the header is ignored", () => {
  const headers = { "x-forwarded-for": "198.51.100.1" };
  expect(createClientAddress([]).addressOf(requestOf({ headers, address: "10.1.2.3" }))).toBe("10.1.2.3");
});

const forwarded = { "x-forwarded-proto": "https", "x-forwarded-host": "app.example" };

test.each<[string | undefined, Record<string, string>, boolean, string | undefined]>([
  ["203.0.113.9", { host: "Gateway.example:8080" }, false, "http://gateway.example:8080"],
  ["203.0.113.9", { host: "gateway.example:443" }, true, "https://gateway.example"],
  ["203.0.113.9", { host: "gateway.example", ...forwarded }, false, "http://gateway.example"],
  [undefined, { host: "gateway.example", ...forwarded }, true, "https://gateway.example"],
  ["10.1.2.3", { host: "gateway.example", ...forwarded }, false, "https://app.example"],
  ["10.1.2.3", { "host": "app.example", "x-forwarded-proto": "https" }, false, "https://app.example"],
  ["10.1.2.3", { "host": "h", "x-forwarded-host": "a.example, b.example" }, false, "http://a.example"],
  ["10.1.2.3", { "host": "h", "x-forwarded-proto": "javascript" }, false, undefined],
  ["203.0.113.9", { host: "a/b" }, false, undefined],
  ["203.0.113.9", { host: "user@h" }, false, undefined],
  ["203.0.113.9", { host: "[::1]:80" }, false, "http://[::1]"],
  ["203.0.113.9", {}, false, undefined],
])("a client from %s with %o, encrypted: %s, reaches the gateway as %s", (address, headers, secure, origin) => {
  expect(client.originOf(requestOf({ headers, ...(address === undefined ? {} : { address }) }), secure)).toBe(origin);
});

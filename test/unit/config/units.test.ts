import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDuration,
  formatListen,
  formatSize,
  parseCount,
  parseDuration,
  parseListen,
  parseSize,
} from "../../../src/config/units.ts";
import { suggest } from "../../../src/config/explain.ts";
import { isLoopback } from "../../../src/util/ip-address.ts";

const day = 86_400_000;

describe("durations, sizes and counts", () => {
  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["5m", 300_000],
    ["24h", day],
    ["7d", 7 * day],
    ["1.5h", 5_400_000],
    [" 10 s ", 10_000],
    ["250", 250],
    [250, 250],
    [0, 0],
  ])("%j is %d ms", (input, ms) => expect(parseDuration(input)).toBe(ms));

  test.each([
    ["256KiB", 262_144],
    ["1GiB", 2 ** 30],
    ["10MB", 1e7],
    ["10kb", 1e4],
    ["7B", 7],
    ["1_024", 1_024],
  ])("%j is %d bytes", (input, bytes) => expect(parseSize(input)).toBe(bytes));

  test.each([
    ["1_000_000", 1e6],
    ["5", 5],
    [5, 5],
  ])("%j is the count %d", (input, count) => {
    expect(parseCount(input)).toBe(count);
  });

  test.each([
    "",
    "10 parsecs",
    "-1s",
    "1e3",
    "s",
    "_1s",
    "0.5ms",
    "1s1m",
    "constructor",
    -1,
    0.5,
    NaN,
    Infinity,
    null,
    {},
    true,
    "9".repeat(40),
  ])("%j is not a quantity", (input) => {
    expect([parseDuration(input), parseSize(input), parseCount(input)]).toEqual([undefined, undefined, undefined]);
  });

  test("printed values read back the same", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom(1, 1_000, 60_000, day, 1_024, 2 ** 30), (amount, factor) => {
        const value = (amount % 1_000_000) * factor;
        expect(parseDuration(formatDuration(value))).toBe(value);
        expect(parseSize(formatSize(value))).toBe(value);
      }),
    );
  });

  test("printed values are short", () => {
    expect([0, 500, 90_000, 3_600_000, 2 * day].map(formatDuration)).toEqual(["0ms", "500ms", "90s", "1h", "2d"]);
    expect([1, 1_024, 1_500, 16 * 2 ** 20].map(formatSize)).toEqual(["1B", "1KiB", "1500B", "16MiB"]);
  });
});

describe("listen addresses", () => {
  test.each([
    ["127.0.0.1:8080", "127.0.0.1:8080", true],
    [8080, "127.0.0.1:8080", true],
    ["8080", "127.0.0.1:8080", true],
    ["localhost:80", "localhost:80", true],
    ["[::1]:8080", "[::1]:8080", true],
    ["127.1.2.3:0", "127.1.2.3:0", true],
    [":8080", "0.0.0.0:8080", false],
    ["0.0.0.0:80", "0.0.0.0:80", false],
    ["[::]:80", "[::]:80", false],
    ["gateway.example:80", "gateway.example:80", false],
    ["127.0.0.1.example:80", "127.0.0.1.example:80", false],
  ])("%j is %s, loopback: %s", (input, shown, loopback) => {
    const address = parseListen(input);
    expect(address && formatListen(address)).toBe(shown);
    expect(address && isLoopback(address.host)).toBe(loopback);
  });

  test.each(["127.0.0.1", "::1:8080", "host:", ":65536", "http://host:80", "host:80/path", 70_000, 1.5, -1, null, ""])(
    "%j is not a listen address",
    (input) => expect(parseListen(input)).toBeUndefined(),
  );
});

test("the nearest word is suggested, a distant one never", () => {
  const words = ["retention", "heartbeat", "upstream", "ids"];
  expect(
    ["retension", "heatbeat", "Upstream", "upsteram", "id", "xyz", "constructor"].map((word) => suggest(word, words)),
  ).toEqual(["retention", "heartbeat", "upstream", "upstream", "ids", undefined, undefined]);
});

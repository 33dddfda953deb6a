import { describe, expect, test } from "vitest";
import { headerValue, sendable, withParameter } from "../../../src/upstream/request.ts";

describe("a query parameter", () => {
  test.each([
    ["http://a/e", "http://a/e?id=7"],
    ["http://a/e?", "http://a/e?id=7"],
    ["http://a/e?k=a%20b+c&x", "http://a/e?k=a%20b+c&x&id=7"],
    ["http://a/e?id=1&k=%41,b", "http://a/e?id=7&k=%41,b"],
    ["http://a/e?k&id=1&l&id=2&m=", "http://a/e?k&id=7&l&m="],
    ["http://a/e?%69d=1", "http://a/e?id=7"],
    ["http://a/e?idx=1&&id", "http://a/e?idx=1&&id=7"],
  ])("is set in %s and leaves the rest unchanged", (before, after) => {
    const url = new URL(before);
    expect(withParameter(url, "id", "7").href).toBe(after);
    expect(url.href).toBe(before);
  });

  test("carries any id", () => {
    const id = "a b&c=d#ü\u{1F600}%";
    expect(withParameter(new URL("http://a/"), "last id", id).searchParams.get("last id")).toBe(id);
  });
});

test("the header carries an id as its UTF-8 bytes", () => {
  expect(headerValue("7-a")).toBe("7-a");
  expect(Buffer.from(headerValue("ü€"), "latin1").toString("utf8")).toBe("ü€");
});

test("an id that no request can carry is ignored", () => {
  expect(sendable(undefined, "header")).toBeUndefined();
  expect(sendable("", "header")).toBeUndefined();
  expect(sendable("a\x01", "header")).toBeUndefined();
  expect(sendable("a\x7f", "header")).toBeUndefined();
  expect(sendable("a\x01", { query: "id" })).toBe("a\x01");
  expect(sendable("a\tü", "header")).toBe("a\tü");
  expect(sendable("x".repeat(4097), { query: "id" })).toBeUndefined();
});

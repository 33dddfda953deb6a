import { describe, expect, test } from "vitest";
import { createJsonPointer, isJsonPointer, parseJson, scalarText } from "../../../src/util/json-pointer.ts";

/** The document of RFC 6901 §5, and its pointers. */
const document = {
  "foo": ["bar", "baz"],
  "": 0,
  "a/b": 1,
  "c%d": 2,
  "e^f": 3,
  "g|h": 4,
  "i\\j": 5,
  'k"l': 6,
  " ": 7,
  "m~n": 8,
};

describe("a JSON pointer", () => {
  test.each([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("%j reads what RFC 6901 says", (pointer, value) => {
    expect(createJsonPointer(pointer)(document)).toEqual(value);
  });

  test.each(["/nothing", "/foo/2", "/foo/01", "/foo/-", "/foo/length", "/constructor", "/foo/0/0"])(
    "%j reads nothing",
    (pointer) => {
      expect(createJsonPointer(pointer)(document)).toBeUndefined();
    },
  );

  test("is a text of tokens that begin with a slash", () => {
    expect(["/", "/a", "/a/0", "/a~0~1"].every(isJsonPointer)).toBe(true);
    expect(["", "a", "a/b", "/a~2", "/a~"].some(isJsonPointer)).toBe(false);
  });
});

test("only strings and numbers have a text", () => {
  expect(["a", 1.5, true, null, {}, undefined].map(scalarText)).toEqual(["a", "1.5", ...Array(4).fill(undefined)]);
  expect(parseJson("{")).toBeUndefined();
});

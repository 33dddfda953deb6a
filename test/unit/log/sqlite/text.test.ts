import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeOptionalText, decodeText, encodeOptionalText, encodeText } from "../../../../src/log/sqlite/text.ts";

test("any text without lone surrogates is read as it was written", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => decodeText(encodeText(text)) === text));
  expect(decodeText(encodeText("a\0b"))).toBe("a\0b");
});

test("a text with a NUL is stored as a blob, any other as text, an absent one as NULL", () => {
  expect(encodeText("a\0")).toEqual(Buffer.from("a\0"));
  expect([encodeText("ä\r\n"), encodeOptionalText(undefined), encodeOptionalText("")]).toEqual(["ä\r\n", null, ""]);
  expect([decodeOptionalText(null), decodeOptionalText("")]).toEqual([undefined, ""]);
});

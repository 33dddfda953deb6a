import { describe, expect, test } from "vitest";
import { encodeResult, encodeSkipped, toTransformEvent } from "../../../src/transform/encode.ts";
import type { TransformResult } from "../../../src/transform/transform.ts";

const original = { event: "order", data: '{"net":1}', id: "7", lastEventId: "7" };

describe("an event for a transform", () => {
  test("parses its data as JSON", () => {
    expect(toTransformEvent(original).json()).toEqual({ net: 1 });
  });

  test.each(["", "{", "undefined"])("gives undefined for the text %j, which is not JSON", (data) => {
    expect(toTransformEvent({ ...original, data }).json()).toBeUndefined();
  });

  test("can be copied by its fields", () => {
    expect({ ...toTransformEvent(original) }).toEqual({ event: "order", data: '{"net":1}', id: "7" });
  });
});

describe("a result", () => {
  test.each<[string, TransformResult, string]>([
    ["the event itself", toTransformEvent(original), 'id: 7\nevent: order\ndata: {"net":1}\n\n'],
    ["text as data", { data: "a\nb" }, "id: 7\nevent: order\ndata: a\ndata: b\n\n"],
    [
      "JSON as data",
      { data: { net: 1, gross: [2, null] } },
      'id: 7\nevent: order\ndata: {"net":1,"gross":[2,null]}\n\n',
    ],
    ["null as data", { data: null }, "id: 7\nevent: order\ndata: null\n\n"],
    ["a type", { event: "sale" }, 'id: 7\nevent: sale\ndata: {"net":1}\n\n'],
    ["the default type", { event: "message", data: "a" }, "id: 7\ndata: a\n\n"],
    ["an id", { id: "x", data: "a" }, "id: x\nevent: order\ndata: a\n\n"],
    ["an id that resets", { id: "", data: "a" }, "id: \nevent: order\ndata: a\n\n"],
    ["nothing", undefined, "id: 7\n\n"],
    ["null", null, "id: 7\n\n"],
    ["an empty list", [], "id: 7\n\n"],
  ])("that is %s is encoded", (_, result, expected) => {
    expect(encodeResult(result, original)).toBe(expected);
  });

  test("of several events has the original's id on the last one", () => {
    const event = toTransformEvent(original);
    expect(encodeResult([{ ...event, data: "a" }, { data: "b" }, event], original)).toBe(
      'event: order\ndata: a\n\nevent: order\ndata: b\n\nid: 7\nevent: order\ndata: {"net":1}\n\n',
    );
  });

  test("keeps ids of its own", () => {
    expect(
      encodeResult(
        [
          { data: "a", id: "7a" },
          { data: "b", id: "7b" },
        ],
        original,
      ),
    ).toBe("id: 7a\nevent: order\ndata: a\n\nid: 7b\nevent: order\ndata: b\n\n");
  });

  test.each<[string, unknown]>([
    ["a text", "a"],
    ["a list with a hole", [{ data: "a" }, undefined]],
    ["a function as data", { data: () => 1 }],
    ["a number as id", { id: 7 }],
    ["a number as type", { event: 7 }],
    ["an id with a line break", { id: "7\ndata: x" }],
    ["a type with a line break", { event: "a\n\ndata: x" }],
  ])("with %s is refused", (_, result) => {
    expect(() => encodeResult(result as TransformResult, original)).toThrow();
  });
});

test("of an event without an id nothing remains when it is skipped", () => {
  expect(encodeSkipped({ ...original, id: undefined })).toBe("");
  expect(encodeSkipped(original)).toBe("id: 7\n\n");
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeComment, encodeEvent, encodeId, SseError, type EventFields } from "../../../src/sse/index.ts";
import { bytes, chunkSizes, cut, read } from "./streams.ts";

describe("encodeEvent", () => {
  test("writes the fields in order and closes with a blank line", () => {
    expect(encodeEvent({ id: "7", event: "trade", retry: 1000, data: "x" })).toBe(
      "id: 7\nevent: trade\nretry: 1000\ndata: x\n\n",
    );
  });

  test("writes no type if it is the default", () => {
    expect(encodeEvent({ data: "x" })).toBe("data: x\n\n");
    expect(encodeEvent({ event: "message", data: "x" })).toBe("data: x\n\n");
    expect(encodeEvent({ event: "", data: "x" })).toBe("data: x\n\n");
  });

  test("writes a data line for each line, with any line ending", () => {
    expect(encodeEvent({ data: "a\nb\rc\r\nd\n\re\n" })).toBe(
      "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\ndata: \n\n",
    );
  });

  test("writes empty data and an empty id", () => {
    expect(encodeEvent({ id: "", data: "" })).toBe("id: \ndata: \n\n");
  });

  test.each<[string, Partial<EventFields>]>([
    ["id", { id: "1\ndata: forged" }],
    ["id", { id: "1\r" }],
    ["id", { id: "1\0" }],
    ["event", { event: "a\nid: forged" }],
    ["event", { event: "\r" }],
    ["retry", { retry: -1 }],
    ["retry", { retry: 1.5 }],
    ["retry", { retry: NaN }],
    ["retry", { retry: 1e21 }],
  ])("refuses an %s that would break the framing: %j", (field, fields) => {
    const refusal = expect.objectContaining({ code: "sse-field-invalid", field }) as unknown;
    let thrown: unknown;
    try {
      encodeEvent({ data: "x", ...fields });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SseError);
    expect(thrown).toEqual(refusal);
  });
});

describe("encodeId", () => {
  test("writes a block that is not an event", () => {
    expect(encodeId("7")).toBe("id: 7\n\n");
    expect(read([encodeId("7")])).toMatchObject({ events: [], ids: ["7"], lastEventId: "7" });
  });

  test("refuses an id with a line ending", () => {
    expect(() => encodeId("7\n")).toThrow(SseError);
  });
});

describe("encodeComment", () => {
  test("writes a comment line for each line", () => {
    expect(encodeComment("a\nb\r\n\rc")).toBe(": a\n: b\n:\n: c\n\n");
    expect(encodeComment("")).toBe(":\n\n");
  });

  test("never turns its text into a field", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(read([encodeComment(`x${text}\ndata: forged\n\n`)])).toMatchObject({ events: [], ids: [], retries: [] });
      }),
    );
  });
});

describe("an encoded event", () => {
  // Lone surrogates have no UTF-8 form, so text is generated from whole code points.
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom(" ", ":", "\uFEFF", "é", "data"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    ),
  });
  const line = text.map((value) => value.replaceAll(/[\r\n]/g, ""));
  const fields = fc.record(
    {
      id: line.map((value) => value.replaceAll("\0", "")),
      event: line,
      data: fc.array(fc.oneof(text, fc.constantFrom("\r", "\n", "\r\n"))).map((parts) => parts.join("")),
      retry: fc.nat(),
    },
    { requiredKeys: ["data"] },
  );

  test("is parsed unchanged, except for CR", () => {
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 5 }), chunkSizes, (events, sizes) => {
        const reading = read(cut(bytes(events.map((event) => encodeEvent(event)).join("")), sizes));
        expect(reading.events.map(({ event, data, id }) => ({ event, data, id }))).toEqual(
          events.map(({ event, data, id }) => ({
            event: event === undefined || event === "" ? "message" : event,
            data: data.replaceAll(/\r\n|\r/g, "\n"),
            id,
          })),
        );
        expect(reading.retries).toEqual(events.flatMap((event) => event.retry ?? []));
      }),
      { numRuns: 500 },
    );
  });

  test("keeps a leading space of a type, an id and data", () => {
    expect(read([encodeEvent({ id: " 1", event: " a", data: " x" })]).events).toMatchObject([
      { id: " 1", event: " a", data: " x" },
    ]);
  });
});

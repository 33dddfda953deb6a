import { describe, expect, test } from "vitest";
import { createParser } from "../../../src/sse/index.ts";
import { bytes, concat, dataOf, read } from "./streams.ts";

describe("lines", () => {
  test.each([
    ["LF", "\n"],
    ["CR", "\r"],
    ["CRLF", "\r\n"],
  ])("end with %s", (_, end) => {
    expect(dataOf(["data: a", "data: b", "", "data: c", "", ""].join(end))).toEqual(["a\nb", "c"]);
  });

  test("may have different endings in one stream", () => {
    expect(dataOf("data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n")).toEqual(["a\nb\nc", "d"]);
  });

  test("a lone CR ends a line at once", () => {
    expect(dataOf("data: a\r\r")).toEqual(["a"]);
  });

  test("a LF at the start of a chunk belongs to the CR before it", () => {
    expect(dataOf("data: a\r", "\ndata: b\r", "\n\r", "\n")).toEqual(["a\nb"]);
  });

  test("an empty chunk does not separate a CR from its LF", () => {
    expect(dataOf("data: a\r", "", "\ndata: b\n\n")).toEqual(["a\nb"]);
  });

  test("a LF after a CR and other bytes ends a separate line", () => {
    expect(dataOf("data: a\r", "data: b\n", "\n")).toEqual(["a\nb"]);
  });

  test("no other character ends a line", () => {
    expect(dataOf("data: a\u2028b\u2029c\u0085d\ve\f\n\n")).toEqual(["a\u2028b\u2029c\u0085d\ve\f"]);
  });
});

describe("the byte order mark", () => {
  test("is skipped once at the start", () => {
    expect(dataOf("\uFEFFdata: a\n\n")).toEqual(["a"]);
    expect(dataOf("\uFEFF\uFEFFdata: a\n\ndata: b\n\n")).toEqual(["b"]);
  });

  test("is skipped when it is split over chunks", () => {
    expect(dataOf(...[0xef, 0xbb, 0xbf].map((byte) => Uint8Array.of(byte)), "data: a\n\n")).toEqual(["a"]);
  });

  test("is also skipped before an empty line", () => {
    expect(dataOf("\uFEFF\ndata: a\n\n")).toEqual(["a"]);
  });

  test("is part of the text anywhere else", () => {
    expect(dataOf("data:\uFEFFa\n\n\uFEFFdata: b\n\n")).toEqual(["\uFEFFa"]);
  });

  test("is ordinary text if it is incomplete", () => {
    expect(dataOf(Uint8Array.of(0xef, 0xbb), "data: a\n\ndata: b\n\n")).toEqual(["b"]);
  });
});

describe("fields", () => {
  test("lose only one space after the colon", () => {
    expect(dataOf("data:a\ndata: a\ndata:  a\ndata:\ta\ndata:a: b \n\n")).toEqual(["a\na\n a\n\ta\na: b "]);
  });

  test("without a colon have an empty value", () => {
    expect(dataOf("data\n\ndata\ndata\n\n")).toEqual(["", "\n"]);
    expect(read(["id: 1\ndata\n\nid\ndata\n\n"]).events.map((event) => event.lastEventId)).toEqual(["1", ""]);
  });

  test("with unknown names, also names in other letter cases, are ignored", () => {
    const unknown = "Data: x\n data: x\ndatax: x\ndat: x\ndata : x\nda\ne\nevent\0: x\nfoo\n{\n";
    expect(read([`${unknown}data: a\n\n`]).events).toEqual([
      { event: "message", data: "a", lastEventId: "", id: undefined },
    ]);
  });

  test("are recognised when their name is split over chunks", () => {
    expect(dataOf("da", "ta", ":", " a", "\n", "\n")).toEqual(["a"]);
  });
});

describe("event and data", () => {
  test("an event has the type of the last event line of its block, or message without one", () => {
    const text = "event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\nevent:\ndata: 3\n\n";
    expect(read([text]).events.map((event) => event.event)).toEqual(["b", "message", "message"]);
  });

  test("the type of a block without data does not apply to the next block", () => {
    expect(read(["event: a\n\ndata: 1\n\n"]).events[0]?.event).toBe("message");
  });

  test("empty data counts as data", () => {
    expect(dataOf("data:\n\ndata\n\ndata: \n\n")).toEqual(["", "", ""]);
  });

  test("a block without data is not an event", () => {
    expect(read(["event: a\n\nretry: 1\n\n: c\n\n\n\n"]).events).toEqual([]);
  });

  test("an incomplete last block is not an event", () => {
    expect(read(["id: 1\ndata: a\n\nid: 2\ndata: b\n"])).toMatchObject({ events: [{ data: "a" }], lastEventId: "1" });
  });

  test("invalid UTF-8 is replaced, also when split over chunks", () => {
    const cut = concat([bytes("data: a"), Uint8Array.of(0xe2, 0x82)]);
    expect(dataOf(cut, "b\n\n")).toEqual(["a\uFFFDb"]);
    expect(dataOf(cut, Uint8Array.of(0xac), "\n\n")).toEqual(["a€"]);
    expect(dataOf(cut, "\n", Uint8Array.of(0xac, 0x0a), "\n")).toEqual(["a\uFFFD"]);
  });
});

describe("the last event id", () => {
  test("stays until another one arrives", () => {
    expect(read(["id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n"]).events).toMatchObject([
      { lastEventId: "1", id: "1" },
      { lastEventId: "1", id: undefined },
      { lastEventId: "2", id: "2" },
    ]);
  });

  test("survives a reconnect", () => {
    expect(read(["data: a\n\n"], { lastEventId: "7" })).toMatchObject({
      events: [{ lastEventId: "7", id: undefined }],
      lastEventId: "7",
    });
  });

  test("is set by a block without data, which is reported as such", () => {
    expect(read(["id: 1\n\ndata: a\n\nid:\n\n"])).toMatchObject({
      events: [{ lastEventId: "1", id: undefined }],
      ids: ["1", ""],
      lastEventId: "",
    });
  });

  test("has already changed when an id without data is reported", () => {
    const seen: string[] = [];
    const parser = createParser({ onEvent() {}, onId: (id) => seen.push(id, parser.lastEventId) });
    parser.push(bytes("id: 1\n\n"));
    expect(seen).toEqual(["1", "1"]);
  });

  test("ignores an id that contains NUL", () => {
    expect(read(["id: 1\nid: 2\0\ndata: a\n\nid: \0\n\n"])).toMatchObject({
      events: [{ id: "1" }],
      ids: [],
      lastEventId: "1",
    });
  });

  test("does not change before the end of its block", () => {
    expect(read(["id: 1\n"]).lastEventId).toBe("");
  });

  test("keeps the spaces of its value except the first", () => {
    expect(read(["id:  1 \n\n"]).ids).toEqual([" 1 "]);
  });
});

describe("retry", () => {
  test("is reported when its line is read", () => {
    expect(read(["retry: 1500\n"]).retries).toEqual([1500]);
  });

  test("accepts only ASCII digits", () => {
    const values = ["", "x", "1x", "-1", "+1", "1.5", "1e3", " 1", "1 ", "٣", "99999999999999999999", "0", "007"];
    expect(read(values.map((value) => `retry: ${value}\n`)).retries).toEqual([0, 7]);
  });
});

describe("comments", () => {
  test("are reported with everything after the colon", () => {
    expect(read([":\n: a\n:b: c\n"]).comments).toEqual(["", " a", "b: c"]);
  });

  test("may appear within a block", () => {
    expect(read(["data: a\n: hi\ndata: b\n\n"])).toMatchObject({ events: [{ data: "a\nb" }], comments: [" hi"] });
  });
});

test("a chunk may be overwritten after it was pushed", () => {
  const chunk = bytes("data: a\ndata: b");
  const data: string[] = [];
  const parser = createParser({ onEvent: (event) => data.push(event.data) });
  parser.push(chunk);
  chunk.fill(0x0a);
  parser.push(bytes("\n\n"));
  expect(data).toEqual(["a\nb"]);
});

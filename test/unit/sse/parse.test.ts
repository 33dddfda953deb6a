import { describe, expect, test } from "vitest";
import { createParser } from "../../../src/sse/index.ts";
import { bytes, concat, dataOf, read } from "./streams.ts";

describe("lines", () => {
  test.each([
    ["LF", "\n"],
    ["CR", "\r"],
    ["CRLF", "\r\n"],
  ])("end in %s", (_, end) => {
    expect(dataOf(["data: a", "data: b", "", "data: c", "", ""].join(end))).toEqual(["a\nb", "c"]);
  });

  test("may end differently in one stream", () => {
    expect(dataOf("data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n")).toEqual(["a\nb\nc", "d"]);
  });

  test("a lone CR ends a line at once", () => {
    expect(dataOf("data: a\r\r")).toEqual(["a"]);
  });

  test("a LF at the start of a chunk belongs to the CR before it", () => {
    expect(dataOf("data: a\r", "\ndata: b\r", "\n\r", "\n")).toEqual(["a\nb"]);
  });

  test("an empty chunk does not part a CR from its LF", () => {
    expect(dataOf("data: a\r", "", "\ndata: b\n\n")).toEqual(["a\nb"]);
  });

  test("a LF behind a CR and other bytes ends a line of its own", () => {
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

  test("before an empty line is skipped too", () => {
    expect(dataOf("\uFEFF\ndata: a\n\n")).toEqual(["a"]);
  });

  test("is part of the text anywhere else", () => {
    expect(dataOf("data:\uFEFFa\n\n\uFEFFdata: b\n\n")).toEqual(["\uFEFFa"]);
  });

  test("is nothing special when it stops short", () => {
    expect(dataOf(Uint8Array.of(0xef, 0xbb), "data: a\n\ndata: b\n\n")).toEqual(["b"]);
  });
});

describe("fields", () => {
  test("lose one space behind the colon and no more", () => {
    expect(dataOf("data:a\ndata: a\ndata:  a\ndata:\ta\ndata:a: b \n\n")).toEqual(["a\na\n a\n\ta\na: b "]);
  });

  test("without a colon have an empty value", () => {
    expect(dataOf("data\n\ndata\ndata\n\n")).toEqual(["", "\n"]);
    expect(read(["id: 1\ndata\n\nid\ndata\n\n"]).events.map((event) => event.lastEventId)).toEqual(["1", ""]);
  });

  test("with unknown names, among them names in other cases, are ignored", () => {
    const unknown = "Data: x\n data: x\ndatax: x\ndat: x\ndata : x\nda\ne\nevent\0: x\nfoo\n{\n";
    expect(read([`${unknown}data: a\n\n`]).events).toEqual([
      { event: "message", data: "a", lastEventId: "", id: undefined },
    ]);
  });

  test("are found when their name is split over chunks", () => {
    expect(dataOf("da", "ta", ":", " a", "\n", "\n")).toEqual(["a"]);
  });
});

describe("event and data", () => {
  test("an event has the type of its own block's last event line, and message without one", () => {
    const text = "event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\nevent:\ndata: 3\n\n";
    expect(read([text]).events.map((event) => event.event)).toEqual(["b", "message", "message"]);
  });

  test("the type of a block without data does not pass to the next", () => {
    expect(read(["event: a\n\ndata: 1\n\n"]).events[0]?.event).toBe("message");
  });

  test("empty data is data", () => {
    expect(dataOf("data:\n\ndata\n\ndata: \n\n")).toEqual(["", "", ""]);
  });

  test("a block without data is no event", () => {
    expect(read(["event: a\n\nretry: 1\n\n: c\n\n\n\n"]).events).toEqual([]);
  });

  test("an incomplete last block is no event", () => {
    expect(read(["id: 1\ndata: a\n\nid: 2\ndata: b\n"])).toMatchObject({ events: [{ data: "a" }], lastEventId: "1" });
  });

  test("invalid UTF-8 is replaced, also split over chunks", () => {
    const cut = concat([bytes("data: a"), Uint8Array.of(0xe2, 0x82)]);
    expect(dataOf(cut, "b\n\n")).toEqual(["a\uFFFDb"]);
    expect(dataOf(cut, Uint8Array.of(0xac), "\n\n")).toEqual(["a€"]);
    expect(dataOf(cut, "\n", Uint8Array.of(0xac, 0x0a), "\n")).toEqual(["a\uFFFD"]);
  });
});

describe("the last event id", () => {
  test("stays until another one comes", () => {
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

  test("has taken effect when an id without data is reported", () => {
    const seen: string[] = [];
    const parser = createParser({ onEvent() {}, onId: (id) => seen.push(id, parser.lastEventId) });
    parser.push(bytes("id: 1\n\n"));
    expect(seen).toEqual(["1", "1"]);
  });

  test("ignores an id that holds NUL", () => {
    expect(read(["id: 1\nid: 2\0\ndata: a\n\nid: \0\n\n"])).toMatchObject({
      events: [{ id: "1" }],
      ids: [],
      lastEventId: "1",
    });
  });

  test("does not change before its block ends", () => {
    expect(read(["id: 1\n"]).lastEventId).toBe("");
  });

  test("keeps the spaces of its value but the first", () => {
    expect(read(["id:  1 \n\n"]).ids).toEqual([" 1 "]);
  });
});

describe("retry", () => {
  test("is reported when its line is read", () => {
    expect(read(["retry: 1500\n"]).retries).toEqual([1500]);
  });

  test("takes ASCII digits only", () => {
    const values = ["", "x", "1x", "-1", "+1", "1.5", "1e3", " 1", "1 ", "٣", "99999999999999999999", "0", "007"];
    expect(read(values.map((value) => `retry: ${value}\n`)).retries).toEqual([0, 7]);
  });
});

describe("comments", () => {
  test("are reported with all that stands behind the colon", () => {
    expect(read([":\n: a\n:b: c\n"]).comments).toEqual(["", " a", "b: c"]);
  });

  test("may stand inside a block", () => {
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

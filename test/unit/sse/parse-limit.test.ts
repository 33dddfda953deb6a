import { describe, expect, test } from "vitest";
import { createParser, SseError, type Parser } from "../../../src/sse/index.ts";
import { bytes, read } from "./streams.ts";

function parserOf(maxEventBytes: number): Parser {
  return createParser({ maxEventBytes, onEvent() {} });
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof SseError) return error.code;
    throw error;
  }
  return undefined;
}

describe("maxEventBytes", () => {
  test("accepts an event of exactly that size", () => {
    expect(read(["data: 7890\ndata\n\n"], { maxEventBytes: 14 }).events).toHaveLength(1);
    expect(codeOf(() => read(["data: 7890\ndata\n\n"], { maxEventBytes: 13 }))).toBe("sse-event-too-large");
  });

  test.each(["data: ", "id: ", "event: ", "retry: ", ": ", "unknown: ", ""])(
    "ends an endless line of '%s'",
    (start) => {
      const parser = parserOf(1000);
      parser.push(bytes(start));
      const tooMuch = (): void => {
        for (let i = 0; i < 101; i++) parser.push(bytes("1234567890"));
      };
      expect(codeOf(tooMuch)).toBe("sse-event-too-large");
    },
  );

  test("refuses a line in one chunk as well as in many", () => {
    const line = ": 34567890\n";
    expect(codeOf(() => read([line], { maxEventBytes: 9 }))).toBe("sse-event-too-large");
    expect(codeOf(() => read(line.split(""), { maxEventBytes: 9 }))).toBe("sse-event-too-large");
    expect(read([line], { maxEventBytes: 10 })).toEqual(read(line.split(""), { maxEventBytes: 10 }));
  });

  test.each(["data: a", "data", "id: a", "event: a"])("ends a block of endlessly many lines '%s'", (line) => {
    const parser = parserOf(1000);
    const lines = bytes(`${line}\n`.repeat(100));
    const tooMuch = (): void => {
      for (let i = 0; i < 3; i++) parser.push(lines);
    };
    expect(codeOf(tooMuch)).toBe("sse-event-too-large");
  });

  test.each([": comment", "unknown: x", "retry: 1"])("is not touched by complete lines of '%s'", (line) => {
    const text = `data: a\n${`${line}\n`.repeat(1000)}data: b\n\n`;
    expect(read([text], { maxEventBytes: 40 }).events).toMatchObject([{ data: "a\nb" }]);
  });

  test("applies to each block separately", () => {
    expect(read(["data: 123456\n\n".repeat(100)], { maxEventBytes: 20 }).events).toHaveLength(100);
  });

  test("reports events that were complete before the one that is too large", () => {
    const data: string[] = [];
    const parser = createParser({ maxEventBytes: 20, onEvent: (event) => data.push(event.data) });
    expect(codeOf(() => parser.push(bytes(`data: a\n\ndata: ${"b".repeat(20)}\n\ndata: c\n\n`)))).toBe(
      "sse-event-too-large",
    );
    expect(data).toEqual(["a"]);
  });

  test("makes every later push throw", () => {
    const parser = parserOf(5);
    expect(codeOf(() => parser.push(bytes("data: a")))).toBe("sse-event-too-large");
    expect(codeOf(() => parser.push(bytes("\n\n")))).toBe("sse-event-too-large");
    expect(codeOf(() => parser.push(new Uint8Array(0)))).toBe("sse-event-too-large");
  });

  test("is 16 MiB by default", () => {
    const parser = parserOf(16 * 1024 * 1024);
    const byDefault = createParser({ onEvent() {} });
    const line = new Uint8Array(16 * 1024 * 1024).fill(0x78);
    for (const each of [parser, byDefault]) {
      each.push(line);
      expect(codeOf(() => each.push(Uint8Array.of(0x78)))).toBe("sse-event-too-large");
    }
  });
});

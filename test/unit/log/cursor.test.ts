import { expect, test } from "vitest";
import { formatCursor, newEpoch, parseCursor } from "../../../src/log/cursor.ts";

test("a cursor is parsed as it was formatted", () => {
  for (const [epoch, seq] of [
    ["a", 0],
    ["0k3x9z", 17],
    [newEpoch(), Number.MAX_SAFE_INTEGER],
  ] as const) {
    expect(parseCursor(formatCursor(epoch, seq))).toEqual({ epoch, seq });
  }
});

test("any other text is not a cursor", () => {
  const texts = ["", ".", "a", "a.", ".1", "a.01", "a.-1", "a.1.2", "A.1", "ä.1", "a.1 ", " a.1", "a.1e3", "a.1\n"];
  const tooLong = ["a.9007199254740992", "abcdefghijklmnopq.1", "a.12345678901234567"];
  for (const text of [...texts, ...tooLong]) expect(parseCursor(text), text).toBeUndefined();
});

test("epochs differ and are short, lower-case letters and digits", () => {
  const epochs = new Set(Array.from({ length: 1_000 }, newEpoch));
  expect(epochs.size).toBe(1_000);
  for (const epoch of epochs) expect(epoch).toMatch(/^[0-9a-z]{1,16}$/);
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createFrameReader, encodeFrame } from "../../../src/workers/ipc/frame.ts";

const messages = fc.array(fc.record({ kind: fc.string({ unit: "binary" }), value: fc.jsonValue() }), { maxLength: 20 });

/** The bytes in pieces of these sizes, over and over. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

function readAll(chunks: readonly Buffer[], limit = 1e6): unknown[] {
  const got: unknown[] = [];
  const read = createFrameReader(limit, (message) => got.push(message));
  for (const chunk of chunks) read(chunk);
  return got;
}

test("messages are decoded as they were encoded, however their bytes are split", () => {
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (sent, sizes) => {
      const bytes = Buffer.concat(sent.map(encodeFrame));
      // What JSON cannot say (such as -0) is lost before it is sent.
      expect(readAll(cut(bytes, sizes))).toEqual(JSON.parse(JSON.stringify(sent)));
    }),
    { numRuns: 1000 },
  );
});

test("a message without its last byte is not decoded", () => {
  const bytes = encodeFrame({ a: 1 });
  expect(readAll([bytes.subarray(0, -1)])).toEqual([]);
  expect(readAll([bytes.subarray(0, -1), bytes.subarray(-1)])).toEqual([{ a: 1 }]);
});

test("a message longer than the limit is refused by its length, the ones before it are not", () => {
  const small = encodeFrame({ a: 1 });
  const large = encodeFrame({ a: "x".repeat(200) });
  const got: unknown[] = [];
  const read = createFrameReader(100, (message) => got.push(message));
  read(small);
  expect(() => read(large.subarray(0, 4))).toThrow(RangeError);
  expect(got).toEqual([{ a: 1 }]);
});

test("a message that is not JSON is refused", () => {
  const bytes = Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from("{]")]);
  expect(() => readAll([bytes])).toThrow(SyntaxError);
});

test("a lone surrogate is transferred unchanged", () => {
  expect(readAll([encodeFrame({ data: "a\ud800b" })])).toEqual([{ data: "a\ud800b" }]);
});

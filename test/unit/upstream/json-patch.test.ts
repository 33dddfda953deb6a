import fc from "fast-check";
import { applyPatch, type Operation } from "rfc6902";
import { expect, test } from "vitest";
import { jsonPatch } from "../../../src/upstream/sources/json-patch.ts";

/** Documents that have much in common: few names and values, and lists of them. */
const { document } = fc.letrec((tie) => ({
  document: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(1, 2, "a", null, true, ""),
    fc.array(tie("document"), { maxLength: 6 }),
    fc.dictionary(fc.constantFrom("a", "b", "~", "/", "", "0", "~1"), tie("document"), { maxKeys: 4 }),
  ),
}));

test("a patch makes the second document of the first one, for an implementation of RFC 6902", () => {
  fc.assert(
    fc.property(document, document, (before, after) => {
      const operations = structuredClone(jsonPatch({ in: before }, { in: after }, 1e6)) as Operation[];
      const patched = structuredClone({ in: before });
      expect(applyPatch(patched, operations).filter(Boolean)).toEqual([]);
      expect(patched).toEqual({ in: after });
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ["the newest comes first", [4, 3, 2, 1], [6, 5, 4, 3], 4],
  ["the newest comes last", [1, 2, 3, 4], [3, 4, 5, 6], 4],
  ["one is inserted", [1, 2, 4], [1, 2, 3, 4], 1],
  ["one is removed", [1, 2, 3, 4], [1, 3, 4], 1],
  ["a member of one changes", [{ a: 1 }, { a: 2 }], [{ a: 1 }, { a: 3 }], 1],
  ["nothing changes", [{ a: [1] }], [{ a: [1] }], 0],
])("a list has few operations where %s", (_, before, after, count) => {
  expect(jsonPatch(before, after, 1e6)).toHaveLength(count);
});

test("there is no patch beyond the limit", () => {
  expect(jsonPatch([1, 2, 3], [4, 5, 6], 8)).toBeUndefined();
  expect(jsonPatch([1, 2, 3], [4, 5, 6], 9)).toHaveLength(3);
});

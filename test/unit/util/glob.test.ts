import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isGlob, matchesGlob } from "../../../src/util/glob.ts";

const letters = fc.string({ unit: fc.constantFrom("a", "b", ".", "\\"), maxLength: 8 });
const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "\\", "*"), maxLength: 8 });

/** A simpler implementation, which is slow for some patterns. */
function byExpression(glob: string, text: string): boolean {
  const parts = glob.split("*").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join("[^]*")}$`).test(text);
}

test.each<[string, string, boolean]>([
  ["a", "a", true],
  ["a", "ab", false],
  ["", "", true],
  ["", "a", false],
  ["*", "", true],
  ["*", "anything\nat all", true],
  ["user:*", "user:42", true],
  ["user:*", "user:", true],
  ["user:*", "xuser:42", false],
  ["*-usd", "btc-usd", true],
  ["*-usd", "btc-usdt", false],
  ["a*a", "a", false],
  ["a*a", "aa", true],
  ["a*b*a", "aba", true],
  ["a*b*a", "aa", false],
  ["ab*ba", "aba", false],
  ["*ab*ab*", "abab", true],
  ["*ab*ab*", "aab", false],
  ["**", "x", true],
  ["a?c", "abc", false],
  ["a.c", "abc", false],
  ["User:*", "user:1", false],
])("%j matches %j: %s", (glob, text, fits) => {
  expect(matchesGlob(glob, text)).toBe(fits);
});

test("a pattern matches like the expression in which each asterisk stands for anything", () => {
  fc.assert(
    fc.property(pattern, letters, (glob, text) => {
      expect(matchesGlob(glob, text)).toBe(byExpression(glob, text));
    }),
    { numRuns: 5000 },
  );
});

test("a pattern matches each text that is made by filling its asterisks", () => {
  fc.assert(
    fc.property(pattern, fc.array(letters, { minLength: 8, maxLength: 8 }), (glob, fillings) => {
      let next = 0;
      expect(
        matchesGlob(
          glob,
          glob.replaceAll("*", () => fillings[next++]!),
        ),
      ).toBe(true);
    }),
  );
});

test("a pattern that matches the text of another one matches everything that the other matches", () => {
  fc.assert(
    fc.property(pattern, pattern, letters, (outer, inner, text) => {
      if (matchesGlob(outer, inner) && matchesGlob(inner, text)) expect(matchesGlob(outer, text)).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

test("a name without an asterisk only matches itself", () => {
  fc.assert(
    fc.property(letters, letters, (name, text) => {
      expect(isGlob(name)).toBe(false);
      expect(matchesGlob(name, text)).toBe(name === text);
    }),
  );
});

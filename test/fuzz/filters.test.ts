import fc from "fast-check";
import { expect, test } from "vitest";
import { SpillwayError } from "../../src/errors.ts";
import { compileFilter } from "../../src/filter/filter.ts";
import { budget, time } from "./budget.ts";

const names = ["event", "channel", "id", "data", "x"] as const;
const fields = ["a", "list", "text", "__proto__", "size"] as const;
const binary = ["==", "!=", "<", ">=", "in", "+", "-", "*", "/", "%", "&&", "||"] as const;
const methods = ["contains", "startsWith", "endsWith", "matches", "split"] as const;
const macros = ["all", "exists", "exists_one", "map", "filter"] as const;
const calls = ["size", "int", "double", "string", "bool", "dyn", "has", "type", "timestamp"] as const;
const literals = [
  "1",
  "-9223372036854775808",
  "1.5e308",
  "0x7f",
  '"a"',
  "'\\u00e9'",
  "null",
  "true",
  "[]",
  "1u",
] as const;

/** Expressions by the grammar of CEL. Many of them have errors of types, and some are too large. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.constantFrom(...literals, ...names),
    fc.tuple(fc.constantFrom(...names), fc.constantFrom(...fields)).map(([name, field]) => `${name}.${field}`),
    fc
      .tuple(tie("expression"), fc.constantFrom(...binary), tie("expression"))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    fc.tuple(fc.constantFrom(...calls), tie("expression")).map(([name, argument]) => `${name}(${argument})`),
    fc
      .tuple(tie("expression"), fc.constantFrom(...methods), tie("expression"))
      .map(([receiver, name, argument]) => `${receiver}.${name}(${argument})`),
    fc
      .tuple(tie("expression"), fc.constantFrom(...macros), tie("expression"))
      .map(([range, name, predicate]) => `${range}.${name}(x, ${predicate})`),
    fc.tuple(tie("expression"), tie("expression")).map(([list, index]) => `${list}[${index}]`),
    fc.array(tie("expression"), { maxLength: 3 }).map((elements) => `[${elements.join(", ")}]`),
    fc
      .tuple(tie("expression"), tie("expression"), tie("expression"))
      .map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
    tie("expression").map((operand) => `!${operand}`),
    tie("expression").map((operand) => `-${operand}`),
  ),
}));

const event = fc.record({
  event: fc.string(),
  channel: fc.option(fc.string(), { nil: undefined }),
  upstreamId: fc.option(fc.string(), { nil: undefined }),
  data: fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom('{"a":{"a":1},"list":[1,[2],{"a":3}],"text":"aaa"}', `${"[".repeat(2000)}${"]".repeat(2000)}`),
  ),
});

/** The filter, or the position of the error. Other errors are thrown. */
async function compile(text: string): Promise<Awaited<ReturnType<typeof compileFilter>> | number> {
  try {
    return await compileFilter(text);
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code !== "filter-invalid") throw error;
    return error.position!;
  }
}

test(
  "an expression is refused with a position inside it, or has the same result for the same event every time",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(expression, fc.string({ unit: "binary" })), event, async (text, given) => {
        const filter = await compile(text);
        if (typeof filter === "number") {
          expect(filter).toBeGreaterThanOrEqual(0);
          expect(filter).toBeLessThanOrEqual(text.length);
          return;
        }
        const result = filter.test(given);
        expect([true, false, undefined]).toContain(result);
        expect(filter.test({ ...given })).toBe(result);
        expect((await compileFilter(` (${text}) `.slice(0, 1024))).key).toBe(filter.key);
      }),
      budget(500),
    );
  },
  time,
);

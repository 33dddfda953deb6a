/** The public test cases of the CEL specification, as far as a filter can express them. */
import { tests } from "@bufbuild/cel-spec/testdata/conformance.js";
import { expect, test } from "vitest";
import type { SpillwayError } from "../../../src/errors.ts";
import { compileFilter } from "../../../src/filter/filter.ts";

interface Case {
  readonly name?: string;
  readonly expr: string;
  readonly value?: Value;
  readonly evalError?: unknown;
  readonly anyEvalErrors?: unknown;
  readonly bindings?: unknown;
  readonly container?: unknown;
  readonly typeEnv?: unknown;
  readonly disableMacros?: unknown;
  readonly checkOnly?: unknown;
  readonly typedResult?: { readonly result?: Value };
}

type Value = Readonly<Record<string, unknown>>;

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Case }[];
}

/** What filters leave out of CEL, by the errors that name it. */
const unsupported: readonly (readonly [why: string, error: RegExp])[] = [
  ["JSON has no unsigned integers and no bytes", /types uint and bytes|uint\(\)|bytes\(\)|encode\(\)|decode\(\)/],
  ["the data has the maps that a filter compares, so none are made", /maps are not/],
  [
    "protocol buffers",
    /Unexpected character: '\{'|got LBRACE|variable google|Unexpected token: DOT|Unexpected character: \s/,
  ],
  ["regular expressions can take exponential time", /matches\(\)/],
  [
    "macros that build lists, maps and variables",
    /(map|filter|bind|block|transformList|transformMap)\(\)|(map|filter|exists)\(var/,
  ],
  ["macros with two variables", /(exists|all|existsOne|exists_one)\(\) is not supported/],
  ["times and durations", /(timestamp|duration|get\w+)\(\)/],
  ["types as values", /type\(\)|unknown variable (dyn|\w*type)/],
  ["optional values", /QUESTION|(of|none|optMap|value|orValue|hasValue)\(\)/],
  ["the extension of texts", /(charAt|indexOf|lastIndexOf|replace|split|substring|trim|join|quote|format|reverse)\(\)/],
  ["the extension of numbers", /(greatest|least|ceil|floor|round|isNaN|trunc|abs|sign|isInf|isFinite|bit\w+|sqrt)\(\)/],
  [
    "the library's parser: numbers that begin with a point, fields in backticks",
    /Unexpected character: `|Expected IDENTIFIER/,
  ],
  [
    "the library's checker: one type for both results of a conditional; macros over an empty list",
    /branches must|cannot be checked/,
  ],
  ["the limits of an expression", /Exceeded max/],
  [
    "types and names are checked before the first event",
    /no such overload|Logical operator requires|unknown variable x|f_unknown\(\)/,
  ],
  [
    "reserved words as the names of methods",
    /(as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)\(\)/,
  ],
];

/** Numbers of both types are compared exactly; these cases expect the integer to lose its last digits. */
const different = [
  "comparisons/gt_literal/not_gt_dyn_big_double_int",
  "comparisons/gte_literal/gte_dyn_int_big_lossy_double",
  "comparisons/lt_literal/not_lt_dyn_int_big_lossy_double",
  "comparisons/lte_literal/lte_dyn_big_double_int",
];

function* casesOf(suite: Suite, path: readonly string[] = []): Generator<readonly [string, Case]> {
  for (const { original } of suite.tests ?? []) yield [[...path, original.name].join("/"), original];
  for (const inner of suite.suites ?? []) yield* casesOf(inner, [...path, inner.name]);
}

/** The value as a literal; `undefined` for a type that JSON does not have. */
function literal(value: Value): string | undefined {
  const [type, content] = Object.entries(value)[0] ?? [];
  if (type === "boolValue" || type === "int64Value") return String(content);
  if (type === "stringValue") return JSON.stringify(content);
  if (type === "nullValue") return "null";
  if (type === "doubleValue" && typeof content === "number")
    return Number.isInteger(content) ? content.toFixed(1) : String(content);
  if (type !== "listValue") return undefined;
  const elements = ((content as { readonly values?: readonly Value[] }).values ?? []).map(literal);
  return elements.includes(undefined) ? undefined : `[${elements.join(", ")}]`;
}

/** The case as an expression that is true; `undefined` if a filter cannot express it. */
function conditionOf({ expr, value, typedResult, ...rest }: Case): string | undefined {
  if (rest.bindings ?? rest.container ?? rest.typeEnv ?? rest.disableMacros ?? rest.checkOnly) return undefined;
  if (rest.evalError ?? rest.anyEvalErrors) return expr;
  const expected = value ?? typedResult?.result ?? { boolValue: true };
  if ("boolValue" in expected) return expected["boolValue"] ? expr : `!(${expr})`;
  const text = literal(expected);
  return text === undefined ? undefined : `(${expr}) == ${text}`;
}

test("the cases of the CEL specification have the same results, except for what is listed", async () => {
  let passed = 0;
  const failures: string[] = [];
  const refusals: string[] = [];
  for (const [name, { evalError, anyEvalErrors, ...rest }] of casesOf(tests)) {
    const isError = evalError !== undefined || anyEvalErrors !== undefined;
    const condition = conditionOf({ evalError, anyEvalErrors, ...rest });
    if (condition === undefined) continue;
    try {
      const filter = await compileFilter(condition);
      const result = filter.test({ event: "message", data: "null", channel: undefined, upstreamId: undefined });
      if (result === (isError ? undefined : true)) passed++;
      else failures.push(name);
    } catch (error) {
      // Most of the errors of an evaluation are found before it.
      if (isError) passed++;
      else refusals.push((error as SpillwayError).message);
    }
  }
  expect(failures.toSorted()).toEqual(different);
  expect(refusals.filter((message) => !unsupported.some(([, pattern]) => pattern.test(message)))).toEqual([]);
  expect(passed).toBe(675);
});

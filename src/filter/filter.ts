import type { Environment, ParseError, ParseResult } from "@marcbachmann/cel-js";
import { SpillwayError } from "../errors.ts";
import { allowance } from "./budget.ts";
import { canonicalForm } from "./canonical.ts";
import { compileExpression, type Refuse } from "./expression.ts";
import type { Value } from "./value.ts";
import { variables, type FilterEvent } from "./variables.ts";

/** A compiled filter expression. */
export interface EventFilter {
  /** Equal for expressions that mean the same up to white space, comments, parentheses and the form of literals. */
  readonly key: string;
  /**
   * Whether the event matches; `undefined` if the expression has no result for it: a field is missing, an operator is
   * not defined for its operands, or the evaluation exceeds its budget.
   */
  test(event: FilterEvent): boolean | undefined;
}

/** The limits of an expression: its size in bytes, and the number and the nesting of its parts. */
const limits = { bytes: 1024, nodes: 100, depth: 32 };

/**
 * Compiles a filter expression in CEL over the variables `event`, `channel`, `id` and `data`. `data` is the parsed JSON;
 * a missing channel or id is an empty text.
 * @param field the parameter or option that contains the expression, for the error
 * @throws {SpillwayError} `filter-invalid` with the `position` at fault.
 */
export async function compileFilter(text: string, field: string = "filter"): Promise<EventFilter> {
  const refuse = (message: string, position: number): never => {
    throw new SpillwayError("filter-invalid", `${field}: ${message} (at position ${position})`, { field, position });
  };
  const { length } = Buffer.from(text);
  if (length > limits.bytes) refuse(`expected at most ${limits.bytes} bytes, got ${length}`, limits.bytes);
  const { ast, check } = parse(await load(), text, refuse);
  const evaluate = compileExpression(ast, refuse);
  const { error, type } = check();
  if (error) report(error, refuse);
  if (type !== "bool" && type !== "dyn") refuse(`expected a condition, got a value of the type ${type}`, 0);
  const locals: Value[] = [];
  return {
    key: canonicalForm(ast),
    test(event) {
      const evaluation = { event, locals, steps: allowance.steps + event.data.length / allowance.charactersPerStep };
      const result = evaluate(evaluation);
      return typeof result === "boolean" && evaluation.steps >= 0 ? result : undefined;
    },
  };
}

let loaded: Promise<Environment> | undefined;

/** Loads the library with the first filter: most gateways have none. */
function load(): Promise<Environment> {
  return (loaded ??= import("@marcbachmann/cel-js").then(({ Environment }) => {
    const environment = new Environment({
      homogeneousAggregateLiterals: false,
      limits: { maxAstNodes: limits.nodes, maxDepth: limits.depth },
    });
    for (const [name, { type }] of Object.entries(variables)) environment.registerVariable(name, type);
    return environment;
  }));
}

function parse(environment: Environment, text: string, refuse: Refuse): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    return report(error, refuse);
  }
}

/** The library reports some errors of types without a summary and a place. */
function report(error: unknown, refuse: Refuse): never {
  const { summary = "the expression cannot be checked", range } = error as Partial<ParseError>;
  return refuse(summary, range?.start ?? 0);
}

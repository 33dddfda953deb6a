/**
 * Turns the syntax tree of an expression into a function. The library's own evaluator has no limit on the work for one
 * evaluation; this one has a budget, and what it does not support is refused before the first event.
 */
import type { ASTNode, ASTOperator } from "@marcbachmann/cel-js";
import { cost, spend, type Budget } from "./budget.ts";
import { functions, methods, testMethods } from "./functions.ts";
import {
  binaryOperators,
  elementAt,
  minInt,
  negate,
  not,
  toInt,
  type BinaryOperator,
  type UnaryOperator,
} from "./operators.ts";
import { failed, fieldOf, isList, isMap, namesOf, type Result, type Value } from "./value.ts";
import { variables, type FilterEvent } from "./variables.ts";

/** The state of an evaluation. */
export interface Evaluation extends Budget {
  readonly event: FilterEvent;
  /** The values of the iteration variables, by their slots. */
  readonly locals: Value[];
}

/** A compiled part of an expression. */
export type Evaluate = (evaluation: Evaluation) => Result;

/** Reports an expression that is not supported. */
export type Refuse = (message: string, position: number) => never;

/** Compiles an expression. */
export function compileExpression(ast: ASTNode, refuse: Refuse): Evaluate {
  return compile(ast, { names: [], size: { nodes: 0 }, refuse });
}

/** What the compilation of a part of an expression depends on. */
interface Scope {
  /** The iteration variables; their indexes are their slots. */
  readonly names: readonly string[];
  /** The number of nodes that were compiled so far. */
  readonly size: { nodes: number };
  readonly refuse: Refuse;
}

type Node<Operator extends ASTOperator> = Extract<ASTNode, { readonly op: Operator }>;

type Operands = readonly [ASTNode, ASTNode];

type Compiler<Operator extends ASTOperator> = (node: Node<Operator>, scope: Scope) => Evaluate;

/** The compilers of the parts that are not a binary operator. */
const compilers: { readonly [Operator in ASTOperator]?: Compiler<Operator> } = {
  "value": compileLiteral,
  "id": compileVariable,
  ".": compileField,
  "[]": ({ args }, scope) => compileBinary(elementAt, args, scope),
  "list": compileList,
  "?:": compileConditional,
  "&&": ({ args }, scope) => compileLogical(false, args, scope),
  "||": ({ args }, scope) => compileLogical(true, args, scope),
  "!_": ({ args }, scope) => compileUnary(not, args, scope),
  "-_": compileNegation,
  "call": compileCall,
  "rcall": compileMethod,
};

function compile(node: ASTNode, scope: Scope): Evaluate {
  scope.size.nodes++;
  const compiler = compilers[node.op] as Compiler<ASTOperator> | undefined;
  if (compiler) return compiler(node, scope);
  const operator = binaryOperators[node.op];
  if (!operator) return scope.refuse("maps are not supported in filters", node.pos);
  return compileBinary(operator, node.args as Operands, scope);
}

function compileLiteral(node: Node<"value">, scope: Scope): Evaluate {
  const { args: value } = node;
  if (typeof value === "object" && value !== null)
    return scope.refuse("literals of the types uint and bytes are not supported in filters", node.pos);
  if (typeof value === "bigint" && toInt(value) === failed)
    return scope.refuse("an integer literal has at most 64 bits", node.pos);
  return () => value;
}

function compileVariable({ args: name, pos }: Node<"id">, { names, refuse }: Scope): Evaluate {
  const slot = names.lastIndexOf(name);
  if (slot >= 0) return ({ locals }) => locals[slot]!;
  if (!Object.hasOwn(variables, name))
    return refuse(`unknown variable ${name}, the variables are ${Object.keys(variables).join(", ")}`, pos);
  const { read } = variables[name]!;
  return ({ event }) => read(event);
}

function compileField({ args: [object, name] }: Node<".">, scope: Scope): Evaluate {
  const evaluate = compile(object, scope);
  return (evaluation) => fieldOf(evaluate(evaluation), name);
}

function compileList({ args }: Node<"list">, scope: Scope): Evaluate {
  const elements = args.map((element) => compile(element, scope));
  // Most lists are constant: they are made only once.
  if (args.every(({ op }) => op === "value")) {
    const list = args.map(({ args: value }) => value as Value);
    return () => list;
  }
  return (evaluation) => {
    if (!spend(evaluation, cost.list)) return failed;
    const list: Value[] = [];
    for (const element of elements) {
      const value = element(evaluation);
      if (value === failed) return failed;
      list.push(value);
    }
    return list;
  };
}

function compileConditional({ args: [condition, yes, no] }: Node<"?:">, scope: Scope): Evaluate {
  const [test, left, right] = [compile(condition, scope), compile(yes, scope), compile(no, scope)];
  return (evaluation) => {
    const result = test(evaluation);
    return typeof result === "boolean" ? (result ? left : right)(evaluation) : failed;
  };
}

/** `||` with `decisive` true, `&&` with `decisive` false: a decisive operand decides even if the other one has failed. */
function compileLogical(decisive: boolean, operands: Operands, scope: Scope): Evaluate {
  const [left, right] = [compile(operands[0], scope), compile(operands[1], scope)];
  return (evaluation) => {
    const first = left(evaluation);
    if (first === decisive) return decisive;
    const second = right(evaluation);
    if (second === decisive) return decisive;
    return typeof first === "boolean" && typeof second === "boolean" ? !decisive : failed;
  };
}

function compileNegation({ args: operand }: Node<"-_">, scope: Scope): Evaluate {
  // The literal of the smallest integer has no positive counterpart.
  if (operand.op === "value" && operand.args === -minInt) return () => minInt;
  return compileUnary(negate, operand, scope);
}

function compileUnary(operator: UnaryOperator, operand: ASTNode, scope: Scope): Evaluate {
  const evaluate = compile(operand, scope);
  return (evaluation) => {
    const value = evaluate(evaluation);
    return value === failed ? failed : operator(value, evaluation);
  };
}

function compileBinary(operator: BinaryOperator, operands: Operands, scope: Scope): Evaluate {
  const [left, right] = [compile(operands[0], scope), compile(operands[1], scope)];
  return (evaluation) => {
    const first = left(evaluation);
    if (first === failed) return failed;
    const second = right(evaluation);
    return second === failed ? failed : operator(first, second, evaluation);
  };
}

function compileCall({ args: [name, args], pos }: Node<"call">, scope: Scope): Evaluate {
  const [argument] = args;
  if (argument && args.length === 1) {
    if (name === "has") return compileHas(argument, scope);
    if (Object.hasOwn(functions, name)) return compileUnary(functions[name]!, argument, scope);
  }
  return scope.refuse(`${name}() is not supported in filters`, pos);
}

/** `has(object.field)`. */
function compileHas(argument: ASTNode, scope: Scope): Evaluate {
  if (argument.op !== ".") return scope.refuse("has() needs a field, such as has(data.price)", argument.pos);
  const [object, name] = argument.args;
  return compileUnary((value) => (isMap(value) ? Object.hasOwn(value, name) : failed), object, scope);
}

function compileMethod(node: Node<"rcall">, scope: Scope): Evaluate {
  const [name, receiver, args] = node.args;
  const [first, second] = args;
  if (!first && Object.hasOwn(methods, name)) return compileUnary(methods[name]!, receiver, scope);
  if (first && args.length === 1 && Object.hasOwn(testMethods, name))
    return compileBinary(testMethods[name]!, [receiver, first], scope);
  if (first?.op === "id" && second && args.length === 2 && Object.hasOwn(quantifiers, name)) {
    return compileQuantifier(quantifiers[name]!, [receiver, first.args, second], scope);
  }
  return scope.refuse(`${name}() is not supported in filters`, node.pos);
}

/** How the results of a predicate for the elements of a list are combined. */
interface Quantifier {
  /** The result for one element that decides, whatever the others are. */
  readonly decisive?: boolean;
  /** The result if no element has decided. */
  end(matches: number): Result;
}

const quantifiers: Readonly<Record<string, Quantifier>> = {
  all: { decisive: false, end: () => true },
  exists: { decisive: true, end: () => false },
  exists_one: { end: (matches) => matches === 1 },
};

/** Evaluates a predicate for each element of a list, or each key of a map. */
function compileQuantifier(
  { decisive, end }: Quantifier,
  [range, variable, predicate]: readonly [ASTNode, string, ASTNode],
  scope: Scope,
): Evaluate {
  const { names, size } = scope;
  const evaluateRange = compile(range, scope);
  const before = size.nodes;
  const test = compile(predicate, { ...scope, names: [...names, variable] });
  const steps = 1 + size.nodes - before;
  const slot = names.length;
  return (evaluation) => {
    const over = evaluateRange(evaluation);
    const elements = isList(over) ? over : isMap(over) ? namesOf(over, evaluation) : failed;
    if (elements === failed) return failed;
    let matches = 0;
    let failures = 0;
    for (const element of elements) {
      if (!spend(evaluation, steps)) return failed;
      evaluation.locals[slot] = element;
      const result = test(evaluation);
      if (result === decisive) return result;
      if (result === true) matches++;
      else if (result !== false) failures++;
    }
    return failures > 0 ? failed : end(matches);
  };
}

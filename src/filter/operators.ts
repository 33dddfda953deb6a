/** The operators of CEL, over the values of a filter. An operator that is not defined for its operands has failed. */
import { cost, spend, stepsOf, type Budget } from "./budget.ts";
import { failed, fieldOf, isList, isMap, isNumeric, namesOf, type Result, type Value, type ValueMap } from "./value.ts";

/** An operator or a function with one operand. */
export type UnaryOperator = (value: Value, budget: Budget) => Result;

/** An operator with two operands, or a method with one argument. */
export type BinaryOperator = (left: Value, right: Value, budget: Budget) => Result;

/** The deepest nesting of values that are compared. */
const maxDepth = 32;

type Equality = boolean | typeof failed;

/** Whether two values are equal. Values of different types are not, except that `1 == 1.0`. */
export function equals(left: Value, right: Value, budget: Budget, depth: number = 0): Equality {
  if (typeof left === "string") {
    if (typeof right !== "string" || left.length !== right.length) return false;
    return spend(budget, stepsOf(left)) ? left === right : failed;
  }
  if (isNumeric(left)) {
    // oxlint-disable-next-line eqeqeq
    return isNumeric(right) && left == right;
  }
  if (isList(left)) return isList(right) ? listsEqual(left, right, budget, depth) : false;
  if (isMap(left)) return isMap(right) ? mapsEqual(left, right, budget, depth) : false;
  return left === right;
}

function listsEqual(left: readonly Value[], right: readonly Value[], budget: Budget, depth: number): Equality {
  if (left.length !== right.length) return false;
  if (depth === maxDepth) return failed;
  for (let index = 0; index < left.length; index++) {
    if (!spend(budget, cost.element)) return failed;
    const equal = equals(left[index]!, right[index]!, budget, depth + 1);
    if (equal !== true) return equal;
  }
  return true;
}

function mapsEqual(left: ValueMap, right: ValueMap, budget: Budget, depth: number): Equality {
  const names = namesOf(left, budget);
  const others = namesOf(right, budget);
  if (names === failed || others === failed) return failed;
  if (names.length !== others.length) return false;
  if (depth === maxDepth) return failed;
  for (const name of names) {
    if (!spend(budget, cost.field)) return failed;
    const other = fieldOf(right, name);
    const equal = other !== failed && equals(left[name]!, other, budget, depth + 1);
    if (equal !== true) return equal;
  }
  return true;
}

/** `in`: an element of a list, or a key of a map. */
function isIn(value: Value, container: Value, budget: Budget): Result {
  if (isMap(container)) {
    if (typeof value !== "string") return false;
    return spend(budget, cost.field * stepsOf(value)) ? Object.hasOwn(container, value) : failed;
  }
  if (!isList(container)) return failed;
  for (const element of container) {
    if (!spend(budget, cost.element)) return failed;
    const equal = equals(element, value, budget);
    if (equal !== false) return equal;
  }
  return false;
}

/** A comparison of two numbers, texts or booleans. JavaScript compares them as CEL does. */
function comparison(compare: (left: number, right: number) => boolean): BinaryOperator {
  return (left, right, budget) => {
    const isText = typeof left === "string" && typeof right === "string";
    const isComparable =
      isText || (isNumeric(left) && isNumeric(right)) || (typeof left === "boolean" && typeof right === "boolean");
    if (!isComparable || (isText && !spend(budget, stepsOf(left)))) return failed;
    return compare(left as number, right as number);
  };
}

/** The smallest `int`. */
export const minInt: bigint = -(2n ** 63n);

/** An `int`, which has 64 bits; larger numbers have failed. */
export function toInt(value: bigint): Result {
  return BigInt.asIntN(64, value) === value ? value : failed;
}

/** Arithmetic on two numbers of the same type. */
function arithmetic(
  double: ((left: number, right: number) => number) | undefined,
  int: (left: bigint, right: bigint) => bigint | typeof failed,
): BinaryOperator {
  return (left, right, budget) => {
    if (typeof left === "number" && typeof right === "number") return double ? double(left, right) : failed;
    if (typeof left !== "bigint" || typeof right !== "bigint" || !spend(budget, cost.int)) return failed;
    const result = int(left, right);
    return result === failed ? failed : toInt(result);
  };
}

const sum = arithmetic(
  (left, right) => left + right,
  (left, right) => left + right,
);

/** `+` adds numbers, and joins texts and lists. */
const add: BinaryOperator = (left, right, budget) => {
  if (typeof left === "string" && typeof right === "string") {
    return spend(budget, stepsOf(left) + stepsOf(right)) ? left + right : failed;
  }
  if (!isList(left) || !isList(right)) return sum(left, right, budget);
  return spend(budget, cost.list + left.length + right.length) ? left.concat(right) : failed;
};

/** The binary operators by their symbols, except the logical ones. */
export const binaryOperators: Readonly<Record<string, BinaryOperator>> = {
  "==": equals,
  "!=": (left, right, budget) => {
    const equal = equals(left, right, budget);
    return equal === failed ? failed : !equal;
  },
  "<": comparison((left, right) => left < right),
  "<=": comparison((left, right) => left <= right),
  ">": comparison((left, right) => left > right),
  ">=": comparison((left, right) => left >= right),
  "in": isIn,
  "+": add,
  "-": arithmetic(
    (left, right) => left - right,
    (left, right) => left - right,
  ),
  "*": arithmetic(
    (left, right) => left * right,
    (left, right) => left * right,
  ),
  "/": arithmetic(
    (left, right) => left / right,
    (left, right) => (right === 0n ? failed : left / right),
  ),
  "%": arithmetic(undefined, (left, right) => (right === 0n ? failed : left % right)),
};

/** `value[index]`. A `double` is an index if it is a whole number, since all numbers of JSON are `double`. */
export const elementAt: BinaryOperator = (value, index, budget) => {
  if (!isList(value)) {
    return typeof index === "string" && spend(budget, cost.field * stepsOf(index)) ? fieldOf(value, index) : failed;
  }
  const position = isNumeric(index) ? Number(index) : -1;
  // Other numbers would be looked up as the name of a property.
  return Number.isInteger(position) && position >= 0 && position < value.length ? value[position]! : failed;
};

/** `!value`. */
export const not: UnaryOperator = (value) => (typeof value === "boolean" ? !value : failed);

/** `-value`. */
export const negate: UnaryOperator = (value) =>
  typeof value === "bigint" ? toInt(-value) : typeof value === "number" ? -value : failed;

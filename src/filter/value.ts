/**
 * A value of an expression. Values from an event's data are JSON, so their numbers are CEL's `double`. A `bigint` is
 * CEL's `int`: an integer literal, a size, or a conversion.
 */
export type Value = null | boolean | number | bigint | string | readonly Value[] | ValueMap;

/** A JSON object, CEL's `map`. */
export interface ValueMap {
  readonly [field: string]: Value;
}

/**
 * The result of an operation that has none, such as access to a missing field. It is a value rather than an exception,
 * because events without the field are common and an exception takes some µs.
 */
export const failed: unique symbol = Symbol("failed");

/** The result of an operation. */
export type Result = Value | typeof failed;

/** The work that an evaluation may still do, in steps of a few ns. */
export interface Budget {
  /** The number of steps left; negative once the evaluation has exceeded its budget. */
  steps: number;
}

/** Takes steps from the budget; false if it is exceeded, and the operation has failed. */
export function spend(budget: Budget, steps: number): boolean {
  budget.steps -= steps;
  return budget.steps >= 0;
}

/** The steps of comparing or copying a text. */
export function stepsOf(text: string): number {
  return Math.ceil(text.length / 32);
}

/** Whether a value is a JSON object. */
export function isMap(value: Result): value is ValueMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a JSON array, CEL's `list`. */
export function isList(value: Result): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is an `int` or a `double`. */
export function isNumeric(value: Result): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** The value of an object's own field. */
export function fieldOf(value: Result, name: string): Result {
  return isMap(value) && Object.hasOwn(value, name) ? value[name]! : failed;
}

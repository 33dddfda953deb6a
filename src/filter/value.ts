import { cost, spend, type Budget } from "./budget.ts";

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

/** The names of an object's fields, which it takes time to list. */
export function namesOf(map: ValueMap, budget: Budget): readonly string[] | typeof failed {
  if (!spend(budget, cost.names)) return failed;
  const names = Object.keys(map);
  return spend(budget, names.length) ? names : failed;
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

import { toInt, type BinaryOperator, type UnaryOperator } from "./operators.ts";
import { failed, isList, isMap, spend, stepsOf, type Budget, type Result, type Value } from "./value.ts";

/** How much more it costs to look at each character of a text than to compare the whole. */
const perCharacter = 4;

/** The longest text that is converted to a number. */
const longestNumber = 32;

/** The functions by their names, all with one argument. */
export const functions: Readonly<Record<string, UnaryOperator>> = {
  size: sizeOf,
  int: convertToInt,
  double: convertToDouble,
  string: convertToText,
  bool: convertToBool,
  dyn: (value) => value,
};

/** The methods without an argument. */
export const methods: Readonly<Record<string, UnaryOperator>> = {
  size: sizeOf,
  lowerAscii: inAscii((text) => text.toLowerCase(), /[A-Z]/g),
  upperAscii: inAscii((text) => text.toUpperCase(), /[a-z]/g),
};

/** The methods with one argument. */
export const testMethods: Readonly<Record<string, BinaryOperator>> = {
  contains: onTexts((text, part) => text.includes(part)),
  startsWith: onTexts((text, part) => text.startsWith(part)),
  endsWith: onTexts((text, part) => text.endsWith(part)),
};

/** The number of elements, of fields, or of Unicode characters. */
function sizeOf(value: Value, budget: Budget): Result {
  if (isList(value)) return BigInt(value.length);
  if (isMap(value)) {
    const { length } = Object.keys(value);
    return spend(budget, length) ? BigInt(length) : failed;
  }
  if (typeof value !== "string" || !spend(budget, perCharacter * stepsOf(value))) return failed;
  return BigInt(value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0));
}

function inAscii(convert: (text: string) => string, letters: RegExp): UnaryOperator {
  return (text, budget) => {
    if (typeof text !== "string" || !spend(budget, perCharacter * stepsOf(text))) return failed;
    // Without other characters, the conversion of the whole text is the same, and faster.
    return /[^\u0000-\u007f]/.test(text) ? text.replace(letters, convert) : convert(text);
  };
}

function onTexts(test: (text: string, part: string) => boolean): BinaryOperator {
  return (text, part, budget) => {
    if (typeof text !== "string" || typeof part !== "string") return failed;
    return spend(budget, perCharacter * stepsOf(text)) ? test(text, part) : failed;
  };
}

function convertToInt(value: Value): Result {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isFinite(value) ? toInt(BigInt(Math.trunc(value))) : failed;
  return typeof value === "string" && /^[+-]?\d{1,19}$/.test(value) ? toInt(BigInt(value.replace(/^\+/, ""))) : failed;
}

function convertToDouble(value: Value): Result {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (typeof value !== "string" || value.length > longestNumber) return failed;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : failed;
}

function convertToText(value: Value): Result {
  return typeof value === "object" ? failed : String(value);
}

function convertToBool(value: Value): Result {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return failed;
  return /^(1|t|true|TRUE|True)$/.test(value) || (/^(0|f|false|FALSE|False)$/.test(value) ? false : failed);
}

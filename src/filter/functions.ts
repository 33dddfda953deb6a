import { cost, spend, stepsOf, type Budget } from "./budget.ts";
import { toInt, type BinaryOperator, type UnaryOperator } from "./operators.ts";
import { failed, isList, isMap, namesOf, type Result, type Value } from "./value.ts";

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
  lowerAscii: inAscii((text) => text.toLowerCase(), [65, 90]),
  upperAscii: inAscii((text) => text.toUpperCase(), [97, 122]),
};

/** The methods with one argument. */
export const testMethods: Readonly<Record<string, BinaryOperator>> = {
  contains: onTexts(
    (text, part) => text.includes(part),
    (text) => text,
  ),
  startsWith: onTexts(
    (text, part) => text.startsWith(part),
    (_, part) => part,
  ),
  endsWith: onTexts(
    (text, part) => text.endsWith(part),
    (_, part) => part,
  ),
};

/** The number of elements, of fields, or of Unicode characters. */
function sizeOf(value: Value, budget: Budget): Result {
  if (isList(value)) return BigInt(value.length);
  if (isMap(value)) {
    const names = namesOf(value, budget);
    return names === failed ? failed : BigInt(names.length);
  }
  if (typeof value !== "string" || !spend(budget, cost.characters * stepsOf(value))) return failed;
  return BigInt(value.length - pairsIn(value));
}

/** The number of characters that are two code units. */
function pairsIn(text: string): number {
  let pairs = 0;
  for (let index = 1; index < text.length; index++) {
    // The surrogates: 0xd800 to 0xdbff are the first of a pair, 0xdc00 to 0xdfff the second.
    if (text.charCodeAt(index) >> 10 === 0x37 && text.charCodeAt(index - 1) >> 10 === 0x36) pairs++;
  }
  return pairs;
}

/** Changes the case of the ASCII letters of a text, whose codes are `first` to `last`. */
function inAscii(
  convert: (text: string) => string,
  [first, last]: readonly [first: number, last: number],
): UnaryOperator {
  return (text, budget) => {
    if (typeof text !== "string" || !spend(budget, cost.characters * stepsOf(text))) return failed;
    if (!/[^\0-\x7f]/.test(text)) return convert(text);
    if (!spend(budget, cost.unicode)) return failed;
    const bytes = Buffer.from(text, "utf16le");
    for (let index = 0; index < bytes.length; index += 2) {
      const code = bytes[index]!;
      if (bytes[index + 1] === 0 && code >= first && code <= last) bytes[index] = code ^ 0x20;
    }
    return bytes.toString("utf16le");
  };
}

/** A test on two texts that compares each character of one of them: `compared`. */
function onTexts(
  test: (text: string, part: string) => boolean,
  compared: (text: string, part: string) => string,
): BinaryOperator {
  return (text, part, budget) => {
    if (typeof text !== "string" || typeof part !== "string") return failed;
    return spend(budget, cost.characters * stepsOf(compared(text, part))) ? test(text, part) : failed;
  };
}

function convertToInt(value: Value, budget: Budget): Result {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") {
    const isInt = value >= -(2 ** 63) && value < 2 ** 63;
    return isInt && spend(budget, cost.int) ? BigInt(Math.trunc(value)) : failed;
  }
  if (typeof value !== "string" || !spend(budget, cost.conversion) || !/^[+-]?\d{1,19}$/.test(value)) return failed;
  return toInt(BigInt(value.replace(/^\+/, "")));
}

function convertToDouble(value: Value, budget: Budget): Result {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (typeof value !== "string" || value.length > longestNumber || !spend(budget, cost.conversion)) return failed;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : failed;
}

function convertToText(value: Value, budget: Budget): Result {
  if (typeof value === "string") return value;
  return typeof value !== "object" && spend(budget, cost.conversion) ? String(value) : failed;
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

/** The longest of them. Longer texts are not looked up, which would take as long as they are. */
const longestBoolean = 5;

function convertToBool(value: Value): Result {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string" || value.length > longestBoolean) return failed;
  return booleans.get(value) ?? failed;
}

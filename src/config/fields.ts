/**
 * The vocabulary of the schema. Throughout, the message of a zod issue is a noun phrase saying what was expected;
 * `explain` makes the sentence of it.
 */
import { z } from "zod";
import type { Count, Duration, Size } from "./config.ts";
import { formatDuration, longestTimer, parseCount, parseDuration, parseSize } from "./units.ts";

/** A value that may be left out, for it has a default. */
export type Optional<Output, Input> = z.ZodPrefault<z.ZodType<Output, Input>>;

/** An object without other keys than these; the issue of an unknown key lists the known ones. */
export function object<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? keys : undefined) });
}

/** A value that `parse` reads; `undefined` from it means that the value was not what was expected. */
export function value<Input, Output>(
  expected: string,
  parse: (input: unknown) => Output | undefined,
): z.ZodType<Output, Input> {
  return z.custom<Input>().transform((input, context) => {
    const output = parse(input);
    if (output !== undefined) return output;
    context.addIssue(expected);
    return z.NEVER;
  });
}

/** Text that passes the test. */
export function text(expected: string, test: (text: string) => boolean): z.ZodType<string, string> {
  return value(expected, (input) => (typeof input === "string" && test(input) ? input : undefined));
}

/** A duration for a timer, in ms, from `min` to `max`. */
export function duration(fallback: Duration, min: number = 0, max: number = longestTimer): Optional<number, Duration> {
  const most = max === longestTimer ? "24d" : formatDuration(max);
  const expected = `a duration such as "${fallback}" (${min > 0 ? `at least ${formatDuration(min)}, ` : ""}at most ${most})`;
  return value<Duration, number>(expected, (input) => within(parseDuration(input), min, max)).prefault(fallback);
}

/** A size in bytes, at least 1. */
export function size(fallback: Size): Optional<number, Size> {
  return value<Size, number>(`a size such as "${fallback}", not zero`, (input) =>
    within(parseSize(input), 1, Infinity),
  ).prefault(fallback);
}

/** A whole number up to `max`. */
export function count(fallback: Count, max: number): Optional<number, Count> {
  return value<Count, number>(`a whole number up to ${max}`, (input) => within(parseCount(input), 0, max)).prefault(
    fallback,
  );
}

/** A bound that `none` lifts; its value is then `null`. */
export function bound(
  example: string,
  parse: (input: unknown) => number | undefined,
  fallback: string = example,
): Optional<number | null, number | string> {
  const expected = `"none" or a bound such as "${example}", not zero`;
  return value<number | string, number | null>(expected, (input) =>
    input === "none" ? null : within(parse(input), 1, Infinity),
  ).prefault(fallback);
}

/** An http or https address without credentials in it, which Fetch would refuse. */
export const bareUrl: z.ZodType<string, string> = text(
  "an http:// or https:// URL without user and password",
  (input) => {
    if (!URL.canParse(input)) return false;
    const { protocol, username, password } = new URL(input);
    return /^https?:$/.test(protocol) && username === "" && password === "";
  },
);

/** An http or https address. */
export const httpUrl: z.ZodType<string, string> = text("an http:// or https:// URL", (input) => {
  return URL.canParse(input) && /^https?:$/.test(new URL(input).protocol);
});

function within(amount: number | undefined, min: number, max: number): number | undefined {
  return amount !== undefined && amount >= min && amount <= max ? amount : undefined;
}

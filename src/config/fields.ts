/**
 * Field types for options. Each option is declared once, with type, default, secrecy and description; parsing,
 * printing, the JSON schema, the types in `config.ts` and the tables of docs/reference/config.md are derived from that
 * declaration. The message of a zod issue is a noun phrase that names what was expected; `explain` turns it into a
 * sentence.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { z } from "zod";
import { isHeaderValue } from "../util/http-field.ts";
import { isJsonPointer } from "../util/json-pointer.ts";
import { longestTimer } from "../util/timeout.ts";
import type { Count, Duration, Percentage, Size } from "./config.ts";
import {
  formatDuration,
  formatPercentage,
  formatSize,
  parseCount,
  parseDuration,
  parsePercentage,
  parseSize,
} from "./units.ts";

/** Metadata of an option. Neither key is published in the JSON schema. */
export interface OptionMeta {
  /** The option's TypeScript type, if JSON cannot express it. */
  readonly tsType?: string;
  /** `true`: the value and everything below it are never shown; `"url"`: shown without credentials. */
  readonly secret?: true | "url";
}

/** A value with a default, which may be omitted. */
export type Optional<Output, Input> = z.ZodPrefault<z.ZodType<Output, Input>>;

/** An object with only these keys; the issue of an unknown key lists the known ones. */
export function object<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? keys : undefined) });
}

/** The output of an object schema, with every key present. */
type Whole<Parsed> = { [Key in keyof Parsed]-?: Parsed[Key] };

/** Adds missing keys as `undefined`, because equal options only compare as equal if they have the same keys. */
export function whole<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
): z.ZodType<Whole<z.output<typeof schema>>, z.input<typeof schema>> {
  type Output = z.output<typeof schema>;
  return convert(
    schema,
    (parsed) => Object.fromEntries(Object.keys(schema.shape).map((key) => [key, parsed[key as keyof Output]])),
    (options) => options as Output,
  ) as unknown as z.ZodType<Whole<Output>, z.input<typeof schema>>;
}

/** A schema whose parsed value is converted to another form in the options. */
export function convert<Parsed, Input, Output>(
  schema: z.ZodType<Parsed, Input>,
  decode: (parsed: Parsed) => Output,
  encode: (options: Output) => Parsed,
): z.ZodType<Output, Input> {
  return z.codec(schema, z.custom<Output>(), { decode, encode });
}

/** A value that `parse` reads and `print` writes. */
export interface ValueOptions<Input, Output> {
  /** What is expected, for the error message. */
  readonly expected: string;
  /** The JSON types of the input. */
  readonly type: string | readonly string[];
  readonly meta?: OptionMeta;
  /** Returns `invalid` if the value is not what was expected. Never throws. */
  readonly parse: (input: unknown) => Output | typeof invalid;
  /** Default: returns the value unchanged. */
  readonly print?: (value: Output) => Input;
}

/** The result of a parser for a value that it cannot read. */
export const invalid: unique symbol = Symbol("invalid");

/** A value with its own text form. */
export function value<Input, Output>(options: ValueOptions<Input, Output>): z.ZodType<Output, Input> {
  const { expected, type, meta, parse, print = (output): Input => output as unknown as Input } = options;
  const codec = z.codec(z.custom<Input>(), z.custom<Output>(), {
    decode: (input, payload) => {
      const output = parse(input);
      if (output !== invalid) return output;
      payload.issues.push({ code: "custom", message: expected, input });
      return z.NEVER;
    },
    encode: print,
  });
  return codec.meta({ type, ...meta });
}

/** Text that `parse` accepts and may convert to another text; `undefined` refuses it. */
export function textAs(
  expected: string,
  parse: (text: string) => string | undefined,
  meta?: OptionMeta,
): z.ZodType<string, string> {
  return value<string, string>({
    expected,
    type: "string",
    ...(meta && { meta }),
    parse: (input) => (typeof input === "string" ? (parse(input) ?? invalid) : invalid),
  });
}

/** Text that passes the test. */
export function text(expected: string, test: (text: string) => boolean, meta?: OptionMeta): z.ZodType<string, string> {
  return textAs(expected, (input) => (test(input) ? input : undefined), meta);
}

const numeric = ["string", "number"];

type Kind = "Duration" | "Size" | "Count" | "Percentage";

interface Quantity {
  readonly parse: (input: unknown) => number | undefined;
  readonly print: (amount: number) => string | number;
}

const quantities: Readonly<Record<Kind, Quantity>> = {
  Duration: { parse: parseDuration, print: formatDuration },
  Size: { parse: parseSize, print: formatSize },
  Count: { parse: parseCount, print: (amount) => amount },
  Percentage: { parse: parsePercentage, print: formatPercentage },
};

/** A number within limits, written as text or as a number. */
function quantity(kind: Kind, expected: string, min: number, max: number): z.ZodType<number, string | number> {
  const { parse, print } = quantities[kind];
  return value<string | number, number>({
    expected,
    type: numeric,
    meta: { tsType: kind },
    parse: (input) => within(parse(input), min, max),
    print,
  });
}

/** A duration for a timer, in ms, from `min` to `max`. */
export function duration(fallback: Duration, min: number = 0, max: number = longestTimer): Optional<number, Duration> {
  const most = max === longestTimer ? "24d" : formatDuration(max);
  const least = min > 0 ? `at least ${formatDuration(min)}, ` : "";
  return quantity("Duration", `a duration such as "${fallback}" (${least}at most ${most})`, min, max).prefault(
    fallback,
  );
}

/** A size in bytes, at least 1. */
export function size(fallback: Size): Optional<number, Size> {
  return quantity("Size", `a size such as "${fallback}", not zero`, 1, Infinity).prefault(fallback);
}

/** A whole number up to `max`. */
export function count(fallback: Count, max: number): Optional<number, Count> {
  return quantity("Count", `a whole number up to ${max}`, 0, max).prefault(fallback);
}

/** A whole number from 1 to `max`. */
export function positive(fallback: Count, max: number): Optional<number, Count> {
  return quantity("Count", `a whole number from 1 to ${max}`, 1, max).prefault(fallback);
}

/** A part of a whole, 0 to 1. */
export function percentage(fallback: Percentage): Optional<number, Percentage> {
  return quantity("Percentage", `a percentage such as "${fallback}"`, 0, 1).prefault(fallback);
}

/** A limit that `none` disables; its value is then `undefined`. */
export function bound(
  kind: Kind,
  example: string,
  fallback: string = example,
): Optional<number | undefined, number | string> {
  return value<number | string, number | undefined>({
    expected: `"none" or a limit such as "${example}", not zero`,
    type: numeric,
    meta: { tsType: kind },
    parse: (input) => (input === "none" ? undefined : within(quantities[kind].parse(input), 1, Infinity)),
    print: (amount) => (amount === undefined ? "none" : quantities[kind].print(amount)),
  }).prefault(fallback);
}

/** An http or https address without credentials, which Fetch would refuse. */
export const bareUrl: z.ZodType<string, string> = text(
  "an http:// or https:// URL without user and password",
  (input) => {
    if (!URL.canParse(input)) return false;
    const { protocol, username, password } = new URL(input);
    return /^https?:$/.test(protocol) && username === "" && password === "";
  },
  { secret: "url" },
);

/** An http or https address. */
export const httpUrl: z.ZodType<string, string> = text(
  "an http:// or https:// URL",
  (input) => URL.canParse(input) && /^https?:$/.test(new URL(input).protocol),
  { secret: "url" },
);

const pemExpected = "PEM text or the path of a PEM file that can be read";

/** PEM text, or the path of a file whose content replaces it. */
export const pem: z.ZodType<string, string> = textAs(pemExpected, readPem, { secret: true });

/** Like {@link pem}, but a path is kept as a path, because the file is read again when it changes. */
export const pemPath: z.ZodType<string, string> = text(pemExpected, (input) => readPem(input) !== undefined, {
  secret: true,
});

/** The value of a header field, which may be a secret. */
export const headerValue: z.ZodType<string, string> = text("text without line breaks", isHeaderValue, { secret: true });

/** A JSON pointer (RFC 6901) to a part of a document. */
export const jsonPointer: z.ZodType<string, string> = text('a JSON pointer such as "/symbol"', isJsonPointer);

/** An existing folder; converted to its real path. */
export const folder: z.ZodType<string, string> = textAs("a folder that exists", realFolder);

/**
 * The real path of a folder, relative to the working directory; `undefined` if it does not exist or is not readable.
 */
export function realFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** An existing file; converted to its real path. */
export const file: z.ZodType<string, string> = textAs("the path of a file that exists", realFile);

function realFile(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function readPem(input: string): string | undefined {
  const content = input.includes("-----BEGIN") ? input : readText(input);
  return content?.includes("-----BEGIN") ? content : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function within(amount: number | undefined, min: number, max: number): number | typeof invalid {
  return amount !== undefined && amount >= min && amount <= max ? amount : invalid;
}

/** Whether a text is a name of up to 128 printable characters without spaces. */
export function isLabel(input: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(input);
}

/** Parsers of the flags and arguments that several commands take. */
import { InvalidArgumentError, Option } from "commander";
import { describeUrl } from "../config/mask-url.ts";
import { substitute, withDotEnv } from "../config/source.ts";
import { SpillwayError } from "../errors.ts";

/** The flag `--header "name: value"`, repeatable; collects the headers into one record. */
export function headerFlag(): Option {
  return new Option("-H, --header <name: value>", "request header, repeatable; '${NAME}' reads a variable")
    .default({}, "none")
    .argParser((text: string, headers: Readonly<Record<string, string>>) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected "name: value".');
      return { ...headers, [name.trim().toLowerCase()]: withVariables(value) };
    });
}

/** Creates a parser for a flag that accepts whole numbers in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/**
 * Replaces `${NAME}` by its value in the environment or in `.env`, so that a secret need not be visible in the process
 * list.
 * @throws {SpillwayError} `request-invalid` for a variable that is not set.
 */
function withVariables(text: string): string {
  const { text: filled, problems } = substitute(text, withDotEnv(process.cwd(), process.env));
  const [problem] = problems;
  if (problem !== undefined) throw new SpillwayError("request-invalid", problem);
  return filled;
}

/**
 * Parses a URL argument and replaces its variables.
 * @throws {SpillwayError} `request-invalid` if it is not an HTTP URL, or a variable is not set.
 */
export function readUrl(text: string): URL {
  const filled = withVariables(text);
  if (/^https?:\/\//i.test(filled) && URL.canParse(filled)) return new URL(filled);
  const expected = "an http:// or https:// URL";
  const got = describeUrl(filled);
  throw new SpillwayError("request-invalid", `expected ${expected}, got ${got}`, { field: "url", expected, got });
}

import { substitute, withDotEnv } from "../config/source.ts";
import { describeUrl } from "../config/secrets.ts";
import { SpillwayError } from "../errors.ts";

/**
 * Replaces `${NAME}` by its value in the environment or in `.env`, so that a secret need not be visible in the process
 * list.
 * @throws {SpillwayError} `request-invalid` for a variable that is not set.
 */
export function withVariables(text: string): string {
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

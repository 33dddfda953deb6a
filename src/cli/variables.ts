import { substitute, withDotEnv } from "../config/source.ts";
import { describeUrl } from "../config/secrets.ts";
import { SpillwayError } from "../errors.ts";

/**
 * Fills in `${NAME}` from the environment or the `.env` file of this directory, so that a secret need not be in the list of processes.
 * @throws {SpillwayError} `request-invalid` for a variable that is not set.
 */
export function withVariables(text: string): string {
  const { text: filled, problems } = substitute(text, withDotEnv(process.cwd(), process.env));
  const [problem] = problems;
  if (problem !== undefined) throw new SpillwayError("request-invalid", problem);
  return filled;
}

/**
 * Reads the address that a command is given, with its variables filled in.
 * @throws {SpillwayError} `request-invalid` where it is none.
 */
export function readUrl(text: string): URL {
  const filled = withVariables(text);
  if (/^https?:\/\//i.test(filled) && URL.canParse(filled)) return new URL(filled);
  const expected = "an http:// or https:// URL";
  const got = describeUrl(filled);
  throw new SpillwayError("request-invalid", `expected ${expected}, got ${got}`, { field: "url", expected, got });
}

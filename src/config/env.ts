import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { SpillwayError } from "../errors.ts";
import type { Environment } from "./source.ts";

/**
 * The environment together with the `.env` file of a directory, if there is one; the environment itself wins.
 * @throws {SpillwayError} `config-invalid` for a `.env` that cannot be read.
 */
export function withDotEnv(directory: string, env: Environment): Environment {
  const file = join(directory, ".env");
  try {
    return { ...parseEnv(readFileSync(file, "utf8")), ...env };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return env;
    throw new SpillwayError("config-invalid", `cannot read ${file}: ${code}`, { cause });
  }
}

/** A text with its variables filled in. */
export interface Substituted {
  readonly text: string;
  /** Whether a variable was in it. */
  readonly changed: boolean;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;
const variable = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Fills in `${NAME}` and `${NAME:-default}` (the default stands in for an unset or empty variable); `$${` is a plain `${`. */
export function substitute(text: string, env: Environment): Substituted {
  const problems: string[] = [];
  let changed = false;
  const result = text.replaceAll(reference, (match, inner: string | undefined, end: string) => {
    if (inner === undefined) return "${";
    changed = true;
    const [, name, fallback] = (end && variable.exec(inner)) || [];
    const value = name === undefined ? undefined : env[name];
    if (fallback !== undefined) return value || fallback;
    if (name === undefined) problems.push("malformed variable; write ${NAME}, ${NAME:-default}, or $${ for a plain ${");
    else if (value === undefined) problems.push(`the environment variable ${name} is not set`);
    return value ?? match;
  });
  return { text: result, changed, problems };
}

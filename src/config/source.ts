/** The sources of a configuration: a file or an application, and the environment. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { SpillwayError } from "../errors.ts";
import type { ConfigIssue } from "./issues.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Keys and indexes from the top of the configuration to a value. */
export type ConfigPath = readonly (string | number)[];

/** The origin of a configuration, for the locations in its error messages. */
export interface ConfigSource {
  /** The environment, with the `.env` file beside the configuration. */
  readonly env: Environment;
  /** Errors that were found while reading, before validation. */
  readonly issues: readonly ConfigIssue[];
  /** `file:line:column` of a value or its key, or a part of it if the rest is unknown; `undefined` if made in code. */
  locate(path: ConfigPath, part: "key" | "value"): string | undefined;
  /** Whether the value came from the environment, and so may be a secret. */
  isFromEnvironment(path: ConfigPath): boolean;
}

/** A configuration before it is resolved. */
export interface LoadedConfig {
  readonly input: unknown;
  readonly source: ConfigSource;
}

/** Makes the source of a configuration made in code, in `file` if known. */
export function codeSource(env: Environment, file?: string): ConfigSource {
  return { env, issues: [], locate: () => file, isFromEnvironment: () => false };
}

/**
 * The environment together with the `.env` file of a directory, if there is one. The environment takes precedence.
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

/** A text whose variables were substituted. */
export interface Substituted {
  readonly text: string;
  /** Whether the text contained a variable. */
  readonly changed: boolean;
  /** Error messages. */
  readonly problems: readonly string[];
}

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;
const variable = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Substitutes `${NAME}` and `${NAME:-default}` (used if the variable is unset or empty). `$${` is a literal `${`. */
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

/** Overrides a configuration by another: merges sections key by key, and replaces everything else. */
export function mergeConfig(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isSection(base) || !isSection(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = mergeConfig(base[key], value);
  return merged;
}

/** Whether a value is a plain object, as a section of a configuration is. */
export function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

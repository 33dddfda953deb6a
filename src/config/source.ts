import type { ConfigIssue } from "./issues.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Keys and indexes from the top of the configuration down to a value. */
export type ConfigPath = readonly (string | number)[];

/** Where a configuration was written: what its error messages point at. */
export interface ConfigSource {
  /** The environment, with the `.env` file beside the configuration. */
  readonly env: Environment;
  /** What reading it brought to light before its meaning was looked at. */
  readonly issues: readonly ConfigIssue[];
  /** `file:line:column` of a value or of its key, as exactly as it is known; `undefined` for configuration made in code. */
  locate(path: ConfigPath, part: "key" | "value"): string | undefined;
  /** Whether the value came out of the environment, and so may be a secret. */
  isFromEnvironment(path: ConfigPath): boolean;
}

/** A configuration before it is resolved. */
export interface LoadedConfig {
  readonly input: unknown;
  readonly source: ConfigSource;
}

/** The source of a configuration made by code, in `file` if it is known. */
export function codeSource(env: Environment, file?: string): ConfigSource {
  return { env, issues: [], locate: () => file, isFromEnvironment: () => false };
}

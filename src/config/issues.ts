import { SpillwayError, type ErrorCode } from "../errors.ts";

/** One thing that is wrong with a configuration. Holds no secret. */
export interface ConfigIssue {
  /** The option at fault, as `streams.prices.drain`; an environment variable's name where that is at fault; `""` for the whole. */
  readonly path: string;
  /** `file:line:column`, as exactly as it is known. */
  readonly location: string | undefined;
  /** The whole sentence. */
  readonly message: string;
  /** What would have been accepted. */
  readonly expected?: string | undefined;
  /** What was found, shortened, and only named where it may be secret. */
  readonly got?: string | undefined;
  /** The known key or value that an unknown one was most likely meant to be. */
  readonly suggestion?: string | undefined;
}

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends SpillwayError {
  /** At least one. */
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], code: ErrorCode = "config-invalid") {
    const [first] = issues;
    super(code, issues.map(formatIssue).join("\n"), { field: first?.path, expected: first?.expected, got: first?.got });
    this.issues = issues;
  }
}

/** An issue that says what was expected and what was found. */
export function mismatch(
  path: string,
  location: string | undefined,
  expected: string,
  got: string,
  suggestion?: string,
): ConfigIssue {
  const hint = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
  return { path, location, message: `expected ${expected}, got ${got}${hint}`, expected, got, suggestion };
}

/** One line: where, which option, what. */
export function formatIssue({ location, path, message }: ConfigIssue): string {
  return [location, path, message].filter(Boolean).join(": ");
}

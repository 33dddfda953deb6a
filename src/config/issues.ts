import { SpillwayError, type ErrorCode } from "../errors.ts";

/** An error in a configuration. Contains no secrets. */
export interface ConfigIssue {
  /** The invalid option, such as `streams.prices.drain`, or environment variable; `""` for the whole configuration. */
  readonly path: string;
  /** `file:line:column`, or only a part of it if the rest is unknown. */
  readonly location: string | undefined;
  /** The complete message. */
  readonly message: string;
  /** What would have been accepted. */
  readonly expected?: string | undefined;
  /** What was found, shortened; only its kind if it may be secret. */
  readonly got?: string | undefined;
  /** The known key or value that was probably meant. */
  readonly suggestion?: string | undefined;
}

/** An invalid configuration, with all its errors. */
export class ConfigError extends SpillwayError {
  /** At least one. */
  override readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], code: ErrorCode = "config-invalid") {
    const [first] = issues;
    super(code, issues.map(formatIssue).join("\n"), { field: first?.path, expected: first?.expected, got: first?.got });
    this.issues = issues;
  }
}

/** Makes an issue with what was expected and what was found. */
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

/** Formats an issue as one line: location, option, message. */
export function formatIssue({ location, path, message }: ConfigIssue): string {
  return [location, path, message].filter(Boolean).join(": ");
}

import type { LineCounter, YAMLError } from "yaml";
import type { ConfigIssue } from "./issues.ts";

/** Codes whose message quotes the file, where a secret may stand. */
const quoting: ReadonlySet<string> = new Set([
  "BAD_ALIAS",
  "BAD_DIRECTIVE",
  "BAD_DQ_ESCAPE",
  "TAG_RESOLVE_FAILED",
  "UNEXPECTED_TOKEN",
]);

/** The first fault of every line; those behind it are mostly its echo. */
export function syntaxIssues(
  faults: readonly YAMLError[],
  content: string,
  file: string,
  lines: LineCounter,
): ConfigIssue[] {
  const texts = content.split("\n");
  const issues = new Map<number, ConfigIssue>();
  for (const { code, message, pos } of faults) {
    const { line, col } = lines.linePos(pos[0]);
    const detail = quoting.has(code) ? code.toLowerCase().replaceAll("_", " ") : message;
    const hint = texts[line - 1]?.includes("${") ? "; inside { } and [ ] a ${NAME} needs quotes around it" : "";
    const issue = { path: "", location: `${file}:${line}:${col}`, message: `not valid YAML: ${detail}${hint}` };
    if (!issues.has(line)) issues.set(line, issue);
  }
  return [...issues.values()];
}

/** Turns zod's issues into readable error messages. */
import type { z } from "zod";
import { mismatch, type ConfigIssue } from "./issues.ts";
import { describeUrl } from "./mask-url.ts";
import { describe, isSecretPath, isUrlPath, showPath } from "./secrets.ts";
import type { ConfigPath, ConfigSource } from "./source.ts";

type ZodIssue = z.core.$ZodIssue;

/** What was expected, for issues whose schema has no message of its own. */
export function expectation(issue: z.core.$ZodRawIssue): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.join(", ")}`;
  if (issue.code === "invalid_type") return typeNames[issue.expected] ?? issue.expected;
  return issue.message ?? "another value";
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a section with keys",
  record: "a section with keys",
};

/** Turns zod's issues with an input into messages with a location and without secrets. */
export function explain(issues: readonly ZodIssue[], input: unknown, source: ConfigSource): ConfigIssue[] {
  return issues.flatMap(likeliest).flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(issue, key, source));
    if (issue.code === "invalid_key") return [invalidKey(issue, source)];
    return [wrongValue(issue, input, source)];
  });
}

/**
 * For a union, the issues of the branch that matched furthest; the union's own issue if no branch matched its top
 * level.
 */
function likeliest(issue: ZodIssue): ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const deep = issue.errors.find((branch) =>
    branch.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys"),
  );
  if (!deep || deep.length === 0) return [issue];
  return deep.flatMap((inner) => likeliest({ ...inner, path: [...issue.path, ...inner.path] }));
}

function wrongValue(issue: ZodIssue, input: unknown, source: ConfigSource): ConfigIssue {
  const path = toConfigPath(issue);
  const value = valueAt(input, path);
  const secret = isSecretPath(path) || source.isFromEnvironment(path);
  const got = typeof value === "string" && isUrlPath(path) ? describeUrl(value) : describe(value, secret);
  const choices = issue.code === "invalid_value" && !secret ? issue.values.map(String) : [];
  return mismatch(showPath(path), source.locate(path, "value"), issue.message, got, suggest(String(value), choices));
}

function unknownKey(issue: ZodIssue, key: string, source: ConfigSource): ConfigIssue {
  const path = [...toConfigPath(issue), key];
  const known = issue.message.split(", ");
  const suggestion = suggest(key, known);
  const hint = suggestion === undefined ? `expected one of ${issue.message}` : `did you mean "${suggestion}"?`;
  return {
    path: showPath(path),
    location: source.locate(path, "key"),
    message: `unknown key; ${hint}`,
    expected: `one of ${issue.message}`,
    suggestion,
  };
}

function invalidKey(issue: ZodIssue & { code: "invalid_key" }, source: ConfigSource): ConfigIssue {
  const path = toConfigPath(issue);
  const expected = issue.issues[0]?.message ?? "another key";
  return mismatch(showPath(path), source.locate(path, "key"), expected, describe(path.at(-1), isSecretPath(path)));
}

function valueAt(input: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], input);
}

function toConfigPath(issue: ZodIssue): ConfigPath {
  return issue.path.map((part) => (typeof part === "number" ? part : String(part)));
}

/** The candidate that is most similar to a misspelt word; `undefined` if none is similar. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const near = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}

/** Number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
        swapped ? beforeLast[column - 2]! + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length]!;
}

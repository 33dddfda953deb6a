import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Scalar,
  type YAMLError,
} from "yaml";
import { ConfigError, type ConfigIssue } from "./issues.ts";
import { showPath } from "./secrets.ts";
import { substitute, type ConfigPath, type Environment, type LoadedConfig } from "./source.ts";

/**
 * Reads YAML (and thus JSON), and substitutes environment variables. Records the location of every value.
 * @throws {ConfigError} `config-invalid` with all syntax errors.
 */
export function readYaml(content: string, file: string, env: Environment): LoadedConfig {
  const lines = new LineCounter();
  const document = parseDocument(content.replace(bareMemory, "$1 $2"), {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
  });
  const faults = syntaxIssues([...document.errors, ...document.warnings], content, file, lines);
  if (faults.length > 0) throw new ConfigError(faults);
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const { filled, issues } = fillIn(document, env, place);
  return {
    input: toValue(document, file),
    source: {
      env,
      issues,
      locate: (path, part) => place(findNode(document, path)[part]),
      isFromEnvironment: (path) => filled.has(findNode(document, path).node),
    },
  };
}

/**
 * An unquoted `store: memory:`, which YAML reads as a section. Its colon is replaced by a space, which keeps all
 * offsets.
 */
const bareMemory = /^(\s*store:\s+memory):(\s*(?:#.*)?)$/m;

/** Substitutes variables in every text value, and returns the nodes that contained one. */
function fillIn(document: Document, env: Environment, place: (offset: number) => string): Filled {
  const filled = new Set<unknown>();
  const issues: ConfigIssue[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === "key" || typeof node.value !== "string") return;
      const { text, changed, problems } = substitute(node.value, env);
      if (changed) filled.add(node);
      node.value = text;
      const path = showPath(pathOf(ancestors, node));
      for (const message of problems) issues.push({ path, location: place(node.range?.[0] ?? 0), message });
    },
  });
  return { filled, issues };
}

interface Filled {
  readonly filled: ReadonlySet<unknown>;
  readonly issues: readonly ConfigIssue[];
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    // An alias without an anchor, or an excessive number of nested aliases.
    throw new ConfigError([{ path: "", location: file, message: "not valid YAML: an alias cannot be resolved" }]);
  }
}

/** Codes whose message quotes the file, and thus may contain a secret. */
const quoting: ReadonlySet<string> = new Set([
  "BAD_ALIAS",
  "BAD_DIRECTIVE",
  "BAD_DQ_ESCAPE",
  "TAG_RESOLVE_FAILED",
  "UNEXPECTED_TOKEN",
]);

/** Only the first error of every line, because further ones mostly follow from it. */
function syntaxIssues(faults: readonly YAMLError[], content: string, file: string, lines: LineCounter): ConfigIssue[] {
  const texts = content.split("\n");
  const issues = new Map<number, ConfigIssue>();
  for (const { code, message, pos } of faults) {
    const { line, col } = lines.linePos(pos[0]);
    const detail = quoting.has(code) ? code.toLowerCase().replaceAll("_", " ") : message;
    const hint = texts[line - 1]?.includes("${") ? "; inside { } and [ ], quote ${NAME}" : "";
    const issue = { path: "", location: `${file}:${line}:${col}`, message: `not valid YAML: ${detail}${hint}` };
    if (!issues.has(line)) issues.set(line, issue);
  }
  return [...issues.values()];
}

/** The path of a node, from its ancestors. */
function pathOf(ancestors: readonly unknown[], node: Scalar): ConfigPath {
  return [...ancestors, node].flatMap((ancestor, index, all): (string | number)[] => {
    const parent = all[index - 1];
    if (isPair(ancestor)) return [keyOf(ancestor.key)];
    return isSeq(parent) ? [parent.items.indexOf(ancestor)] : [];
  });
}

/** The node of a value, and the offsets of it and its key; if the path does not exist, those of the nearest parent. */
function findNode(document: Document, path: ConfigPath): { key: number; value: number; node: unknown } {
  let node: unknown = document.contents;
  let key = offsetOf(node) ?? 0;
  for (const part of path) {
    const section = isAlias(node) ? node.resolve(document) : node;
    const pair = isMap(section) ? section.items.find((item) => keyOf(item.key) === String(part)) : undefined;
    const child = isSeq(section) ? section.items[Number(part)] : pair?.value;
    if (child === undefined && !pair) return { key, value: key, node: undefined };
    node = child;
    key = offsetOf(pair?.key ?? child) ?? key;
  }
  return { key, value: offsetOf(node) ?? key, node };
}

function keyOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function offsetOf(node: unknown): number | undefined {
  return (node as Scalar | null | undefined)?.range?.[0];
}

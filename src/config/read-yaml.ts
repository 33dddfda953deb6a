import { LineCounter, parseDocument, visit, type Document } from "yaml";
import { substitute } from "./env.ts";
import { ConfigError, type ConfigIssue } from "./issues.ts";
import { showPath } from "./secrets.ts";
import type { Environment, LoadedConfig } from "./source.ts";
import { syntaxIssues } from "./yaml-syntax.ts";
import { findNode, pathOf } from "./yaml-tree.ts";

/**
 * Reads YAML, and so JSON, filling in the variables of the environment. Remembers where everything stands.
 * @throws {ConfigError} `config-invalid` with every error of syntax.
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

/** `store: memory:` without quotes, which YAML takes for the begin of a section. Its colon becomes a space, so that all stays in its place. */
const bareMemory = /^(\s*store:\s+memory):(\s*(?:#.*)?)$/m;

/** Replaces variables in every text that is a value; answers with the nodes that held one. */
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
    // An alias without an anchor, or aliases that multiply without end.
    throw new ConfigError([{ path: "", location: file, message: "not valid YAML: an alias cannot be resolved" }]);
  }
}

import type { ASTNode } from "@marcbachmann/cel-js";

/**
 * A text that is equal for expressions that differ only in white space, comments, parentheses, and the form of
 * literals.
 */
export function canonicalForm(ast: ASTNode): string {
  return JSON.stringify(toJson(ast));
}

function toJson(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(toJson);
  if (isNode(part)) return [part.op, toJson(part.args)];
  // A number's type is part of its value, and JSON has only one.
  if (typeof part === "bigint" || typeof part === "number") return { [typeof part]: String(part) };
  return part;
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part;
}

/** Ways between the nodes of a YAML document and the paths of a configuration. */
import { isAlias, isMap, isPair, isScalar, isSeq, type Document, type Scalar } from "yaml";
import type { ConfigPath } from "./source.ts";

/** The keys down to a node, read off its ancestors. */
export function pathOf(ancestors: readonly unknown[], node: Scalar): ConfigPath {
  return [...ancestors, node].flatMap((ancestor, index, all): (string | number)[] => {
    const parent = all[index - 1];
    if (isPair(ancestor)) return [keyOf(ancestor.key)];
    return isSeq(parent) ? [parent.items.indexOf(ancestor)] : [];
  });
}

/** The offsets of a value and its key, and its node; of the nearest section above where the path leads nowhere. */
export function findNode(document: Document, path: ConfigPath): { key: number; value: number; node: unknown } {
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

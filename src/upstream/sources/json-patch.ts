/** An operation of a JSON patch (RFC 6902 §4). */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** Lists are aligned down to this depth, because each of them compares everything below it. */
const mostAligned = 8;

/**
 * The JSON patch that turns one document into another. It takes time in proportion to their size; of lists, it recognizes what was
 * inserted or removed at one place, which need not be the shortest patch.
 * @param limit the maximum number of operations and characters of their paths; `undefined` is returned beyond it
 */
export function jsonPatch(before: unknown, after: unknown, limit: number): readonly PatchOperation[] | undefined {
  const operations: PatchOperation[] = [];
  let left = limit;

  function push(operation: PatchOperation): void {
    left -= operation.path.length + 1;
    if (left >= 0) operations.push(operation);
  }

  function diff(path: string, from: unknown, to: unknown, depth: number): void {
    if (left < 0 || from === to) return;
    if (Array.isArray(from) && Array.isArray(to)) diffElements(path, from, to, depth + 1);
    else if (isObject(from) && isObject(to)) diffMembers(path, from, to, depth + 1);
    else push({ op: "replace", path, value: to });
  }

  function diffMembers(path: string, from: JsonObject, to: JsonObject, depth: number): void {
    for (const key of Object.keys(from))
      if (!Object.hasOwn(to, key)) push({ op: "remove", path: `${path}/${escape(key)}` });
    for (const [key, value] of Object.entries(to)) {
      const at = `${path}/${escape(key)}`;
      if (Object.hasOwn(from, key)) diff(at, from[key], value, depth);
      else push({ op: "add", path: at, value });
    }
  }

  function diffElements(path: string, from: readonly unknown[], to: readonly unknown[], depth: number): void {
    const { start, end, removed, inserted } = depth > mostAligned ? unaligned : align(from, to);
    for (let i = 0; i < removed; i++) push({ op: "remove", path: `${path}/${start}` });
    const [source, target] = [start + removed, start + inserted];
    for (let i = start; i < target; i++) push({ op: "add", path: `${path}/${i}`, value: to[i] });
    const [rest, wanted] = [from.length - end - source, to.length - end - target];
    const common = Math.min(rest, wanted);
    for (let i = 0; i < common; i++) diff(`${path}/${target + i}`, from[source + i], to[target + i], depth);
    for (let i = common; i < rest; i++) push({ op: "remove", path: `${path}/${target + common}` });
    for (let i = common; i < wanted; i++) push({ op: "add", path: `${path}/${target + i}`, value: to[target + i] });
  }

  diff("", before, after, 0);
  return left < 0 ? undefined : operations;
}

/** How two lists correspond. */
interface Alignment {
  /** Elements at the start and at the end of both that are equal. */
  readonly start: number;
  readonly end: number;
  /** Elements after `start` of the first list, or of the second one, that the other one does not have. */
  readonly removed: number;
  readonly inserted: number;
}

const unaligned: Alignment = { start: 0, end: 0, removed: 0, inserted: 0 };

function align(from: readonly unknown[], to: readonly unknown[]): Alignment {
  const [before, after] = [from, to].map((list) => list.map((element) => JSON.stringify(element))) as [
    string[],
    string[],
  ];
  const most = Math.min(from.length, to.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const [source, target] = [before, after].map((texts) => texts.slice(start, texts.length - end)) as [
    string[],
    string[],
  ];
  const inserted = Math.max(0, target.indexOf(source[0]!));
  return { start, end, inserted, removed: inserted > 0 ? 0 : Math.max(0, source.indexOf(target[0]!)) };
}

/** A member's name in a JSON pointer (RFC 6901 §3). */
function escape(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** An object of parsed JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

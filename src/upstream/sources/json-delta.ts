import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { createPatch } from "rfc6902";

/** How the changes of a document are written. */
export type DeltaFormat = "merge-patch" | "json-patch";

/**
 * The changes that turn one document into another; `undefined` if they cannot be expressed in this format, or would take
 * too long to compute.
 */
export function deltaOf(format: DeltaFormat, before: unknown, after: unknown): unknown {
  try {
    if (format === "merge-patch") return mergePatch(before, after);
    return isCheap(before, after) ? createPatch(before, after) : undefined;
  } catch (error) {
    // Documents that are nested very deeply exceed the stack.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The JSON merge patch (RFC 7396) between two documents; `undefined` if there is none. */
function mergePatch(before: unknown, after: unknown): unknown {
  if (!isObject(after)) return after;
  const base = isObject(before) ? before : {};
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(base)) if (!Object.hasOwn(after, key)) define(patch, key, null);
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(base, key) ? base[key] : undefined;
    if (isDeepStrictEqual(old, value)) continue;
    const inner = mergePatch(old, value);
    // A null in a patch removes the member, so a patch cannot set one.
    if (inner === undefined || inner === null) return undefined;
    define(patch, key, inner);
  }
  return patch;
}

/** Sets a member of any name, also `__proto__`. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The time for a JSON patch grows with the product of the lengths of arrays. */
const maxProduct = 250_000;

function isCheap(before: unknown, after: unknown): boolean {
  const [left, right] = [elementsOf(before), elementsOf(after)];
  return left * right <= maxProduct && left + right <= maxProduct / 100;
}

/** The number of elements of all arrays in a document. */
function elementsOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value);
  const own = Array.isArray(value) ? members.length : 0;
  return members.reduce((total: number, member) => total + elementsOf(member), own);
}

/** The hash of a value, whatever the order of its members; `undefined` if it is nested too deeply. */
export function hashOf(value: unknown): string | undefined {
  try {
    return createHash("sha256").update(canonicalJson(value)).digest("base64url").slice(0, 27);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** JSON with sorted members and without spaces. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${members.join(",")}}`;
}

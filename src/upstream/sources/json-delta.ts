import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { isObject, jsonPatch } from "./json-patch.ts";

/** How the changes of a document are written. */
export type DeltaFormat = "merge-patch" | "json-patch";

/**
 * The changes that turn one document into another; `undefined` if they cannot be expressed in this format, or are larger than
 * `limit`, in characters.
 */
export function deltaOf(format: DeltaFormat, before: unknown, after: unknown, limit: number): string | undefined {
  try {
    const delta = format === "merge-patch" ? mergePatch(before, after) : jsonPatch(before, after, limit);
    const text = delta === undefined ? undefined : JSON.stringify(delta);
    return text !== undefined && text.length < limit ? text : undefined;
  } catch (error) {
    // Documents that are nested very deeply exceed the stack.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * The JSON merge patch (RFC 7396) between two documents; `undefined` if there is none. Each member is visited once, so that
 * deeply nested documents take no longer than flat ones.
 */
function mergePatch(before: unknown, after: unknown): unknown {
  if (!isObject(after)) return after;
  const base = isObject(before) ? before : {};
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(base)) if (!Object.hasOwn(after, key)) define(patch, key, null);
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(base, key) ? base[key] : undefined;
    const inner = mergePatch(old, value);
    if (isObject(old) && isObject(value) ? isEmpty(inner) : isDeepStrictEqual(old, value)) continue;
    // A null in a patch removes the member, so a patch cannot set one.
    if (inner === undefined || inner === null) return undefined;
    define(patch, key, inner);
  }
  return patch;
}

/** Whether a patch changes nothing. */
function isEmpty(patch: unknown): boolean {
  return isObject(patch) && Object.keys(patch).length === 0;
}

/** Sets a member of any name, also `__proto__`. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
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

/** JSON with sorted members and without spaces. Appended piece by piece: to join the text of each level would copy all below it. */
function canonicalJson(document: unknown): string {
  let text = "";
  function print(value: unknown): void {
    if (Array.isArray(value)) printAll("[", value, "]", print);
    else if (!isObject(value)) text += JSON.stringify(value);
    else
      printAll("{", Object.keys(value).toSorted(), "}", (key) => {
        text += `${JSON.stringify(key)}:`;
        print(value[key]);
      });
  }
  function printAll<T>(open: string, parts: readonly T[], close: string, each: (part: T) => void): void {
    text += open;
    for (let i = 0; i < parts.length; i++) {
      if (i > 0) text += ",";
      each(parts[i]!);
    }
    text += close;
  }
  print(document);
  return text;
}

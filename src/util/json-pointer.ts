/** Reads the value at a pointer in parsed JSON; `undefined` if there is none. */
export type JsonPointer = (value: unknown) => unknown;

/** Whether a text is a pointer to a part of a document, such as `/trade/symbol` (RFC 6901 §3). */
export function isJsonPointer(text: string): boolean {
  return /^(\/([^~/]|~[01])*)+$/.test(text);
}

/** Makes the reader of an RFC 6901 pointer; `""` is the whole document. */
export function createJsonPointer(pointer: string): JsonPointer {
  const keys = pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (value) => keys.reduce(memberOf, value);
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  // An array has no members but its elements (RFC 6901 §4).
  if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** A JSON string or number as text, for names and ids; `undefined` for any other value. */
export function scalarText(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** The value of a JSON text; `undefined` if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Reads the string or number at an RFC 6901 pointer such as `/trade/symbol` in a JSON text; `undefined` if there is
 * none.
 */
export type JsonPointer = (text: string) => string | undefined;

/** Makes a {@link JsonPointer}. */
export function createJsonPointer(pointer: string): JsonPointer {
  const keys = pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (text) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    for (const key of keys) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  };
}

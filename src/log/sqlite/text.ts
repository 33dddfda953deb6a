import type { SqlValue } from "./driver.ts";

/**
 * A text as it is stored. The drivers cut a text at its first NUL (one when it is bound, another when it is read),
 * so a text with a NUL becomes a blob of its UTF-8. Equal texts stay equal, which is all that an index needs.
 */
export function encodeText(text: string): SqlValue {
  return text.includes("\0") ? Buffer.from(text) : text;
}

/** As {@link encodeText}; absent becomes NULL. */
export function encodeOptionalText(text: string | undefined): SqlValue {
  return text === undefined ? null : encodeText(text);
}

/** The text that {@link encodeText} stored. */
export function decodeText(value: SqlValue | undefined): string {
  return typeof value === "string" ? value : Buffer.from(value as Uint8Array).toString();
}

/** The text that {@link encodeOptionalText} stored. */
export function decodeOptionalText(value: SqlValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : decodeText(value);
}

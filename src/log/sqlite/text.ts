import type { SqlValue } from "./driver.ts";

/**
 * Encodes a text for storage. The drivers truncate a text at its first NUL (one when it is bound, the other when it is
 * read), so a text with a NUL becomes a blob of its UTF-8 bytes. Equal texts stay equal, which is all that an index
 * needs.
 */
export function encodeText(text: string): SqlValue {
  return text.includes("\0") ? Buffer.from(text) : text;
}

/** Like {@link encodeText}; `undefined` becomes NULL. */
export function encodeOptionalText(text: string | undefined): SqlValue {
  return text === undefined ? null : encodeText(text);
}

/** Decodes a text that {@link encodeText} encoded. */
export function decodeText(value: SqlValue | undefined): string {
  return typeof value === "string" ? value : Buffer.from(value as Uint8Array).toString();
}

/** Decodes a text that {@link encodeOptionalText} encoded. */
export function decodeOptionalText(value: SqlValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : decodeText(value);
}

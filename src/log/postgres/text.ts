/**
 * A text as it is stored. PostgreSQL has no NUL in a text, so U+0001 is put before two digits that stand for NUL and for itself.
 * Different texts stay different, which is all that an index needs.
 */
export function encodeText(text: string): string {
  if (!text.includes("\0") && !text.includes("\u0001")) return text;
  return text.replaceAll(/[\0\u0001]/g, (character) => (character === "\0" ? "\u00010" : "\u00011"));
}

/** As {@link encodeText}; absent becomes NULL. */
export function encodeOptionalText(text: string | undefined): string | null {
  return text === undefined ? null : encodeText(text);
}

/** The text that {@link encodeText} stored. */
export function decodeText(stored: string): string {
  if (!stored.includes("\u0001")) return stored;
  return stored.replaceAll(/\u0001[01]/g, (pair) => (pair === "\u00010" ? "\0" : "\u0001"));
}

/** The text that {@link encodeOptionalText} stored. */
export function decodeOptionalText(stored: string | null): string | undefined {
  return stored === null ? undefined : decodeText(stored);
}

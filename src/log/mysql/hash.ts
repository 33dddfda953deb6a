import { crc32 } from "node:zlib";
import { reservedPrefix } from "../log.ts";

/**
 * A small number in the place of a text in an index, since an index takes no text of any length. Different texts may have the
 * same number, so a read by it compares the text too.
 */
export function hashText(text: string): number {
  return crc32(text);
}

/** As {@link hashText}; absent stays absent. */
export function hashOptionalText(text: string | undefined): number | undefined {
  return text === undefined ? undefined : hashText(text);
}

/** The number of Spillway's own types, all of which pass every filter. */
export const reservedHash = 0;

/** As {@link hashText}, but for Spillway's own types, which share a number that no other has. */
export function hashType(event: string): number {
  return event.startsWith(reservedPrefix) ? reservedHash : hashText(event) || 1;
}

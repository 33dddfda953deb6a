import { parseJson } from "../../util/json-pointer.ts";

/** Where polling stands. It is the cursor of the upstream in the log, so it is stored together with the events. */
export interface PollPosition {
  /** The API's own cursor. */
  readonly next?: string | undefined;
  /** The validators of the last response (RFC 9110 section 8.8). */
  readonly etag?: string | undefined;
  readonly modified?: string | undefined;
  /** The hash of the last document. */
  readonly hash?: string | undefined;
  /** How many documents and changes were stored. */
  readonly count?: number | undefined;
  /** The id of the last whole document, and how many changes were stored since. */
  readonly base?: string | undefined;
  readonly changes?: number | undefined;
}

/** Maximum length of the API's cursor, in characters. */
const maxCursorLength = 2_048;

/** The entity tag in a header; `undefined` if it is invalid or too long to be stored. */
export function entityTag(text: unknown): string | undefined {
  return typeof text === "string" && /^(W\/)?"[\x21\x23-\x7e\x80-\xff]{0,1024}"$/.test(text) ? text : undefined;
}

/** The date in a header; `undefined` if it is invalid. */
export function modifiedDate(text: unknown): string | undefined {
  return typeof text === "string" && /^[\w ,:+-]{1,64}$/.test(text) ? text : undefined;
}

/** A cursor of the API; `undefined` if there is none, or if it is too long to be stored. */
export function apiCursor(text: unknown): string | undefined {
  return typeof text === "string" && text !== "" && text.length <= maxCursorLength ? text : undefined;
}

/** The text that is stored. Its keys are in a fixed order, so equal positions have equal texts. */
export function printPosition({ next, etag, modified, hash, count, base, changes }: PollPosition): string {
  return JSON.stringify({ next, etag, modified, hash, count, base, changes });
}

/** Reads a position from the log. Ignores what is invalid: the cursor may be that of another kind of source. */
export function parsePosition(cursor: string | undefined): PollPosition {
  const stored = Object(parseJson(cursor ?? "")) as Readonly<Record<string, unknown>>;
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const whole = (value: unknown): number | undefined => (Number.isSafeInteger(value) ? (value as number) : undefined);
  return {
    next: apiCursor(stored["next"]),
    etag: entityTag(stored["etag"]),
    modified: modifiedDate(stored["modified"]),
    hash: text(stored["hash"]),
    count: whole(stored["count"]),
    base: text(stored["base"]),
    changes: whole(stored["changes"]),
  };
}

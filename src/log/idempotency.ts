import { createHash } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import type { Appended, Idempotency } from "./log.ts";

/** How long an idempotency key is remembered, in ms. */
export const idempotencyAge: number = 24 * 60 * 60 * 1000;

/** What is remembered of an append that had an idempotency key. */
export interface RememberedAppend {
  readonly fingerprint: string;
  readonly first: number;
  readonly last: number;
  /** When it was appended, in ms since 1970. */
  readonly time: number;
}

/**
 * The answer to an append whose key is remembered.
 * @throws {SpillwayError} `idempotency-conflict` if the key was used with another fingerprint.
 */
export function replayAppend(remembered: RememberedAppend, fingerprint: string): Appended {
  if (remembered.fingerprint !== fingerprint) throw new SpillwayError("idempotency-conflict");
  return { first: remembered.first, last: remembered.last, replayed: true };
}

/** How many of the first characters of a key's name identify its owner. */
export const ownerLength = 16;

/** The name under which a key is stored: 64 hexadecimal digits, whatever the owner and the key are. */
export function keyName({ owner = "", key }: Idempotency): string {
  const digest = sha256(owner).slice(0, ownerLength);
  return digest + sha256(`${digest} ${key}`).slice(ownerLength);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Whether `count` is far enough beyond the bound to search for surplus keys, which takes time. */
export function isOverfull(count: number, max: number): boolean {
  return count > max + Math.floor(max / 100);
}

/** Which of the keys with these names, oldest first, to remove so that `max` are left: the oldest ones of the owners that have most. */
export function surplusKeys(names: readonly string[], max: number): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(ownerOf(name), (counts.get(ownerOf(name)) ?? 0) + 1);
  const share = fairShare([...counts.values()], max);
  return names.filter((name) => {
    const count = counts.get(ownerOf(name))!;
    counts.set(ownerOf(name), count - 1);
    return count > share;
  });
}

function ownerOf(name: string): string {
  return name.slice(0, ownerLength);
}

/** How many each may have at most so that all fit: what one does not use is left to the others. */
function fairShare(wanted: readonly number[], room: number): number {
  let left = room;
  for (const [index, count] of wanted.toSorted((a, b) => a - b).entries()) {
    const share = Math.floor(left / (wanted.length - index));
    if (count > share) return share;
    left -= count;
  }
  return Infinity;
}

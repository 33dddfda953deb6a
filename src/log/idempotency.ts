import { SpillwayError } from "../errors.ts";
import type { Appended } from "./log.ts";

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

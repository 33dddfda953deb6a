import { type ErrorCode, SpillwayError } from "../../errors.ts";
import type { DriverFailure } from "../engine/driver.ts";

/** The server's error codes (the first word of an answer). Whatever the table does not name is `store-unavailable`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  OOM: "store-full", // beyond maxmemory
  MISCONF: "store-readonly", // it cannot save to its disk, and is configured to refuse writes then
  WRONGTYPE: "store-corrupt",
};

/** Answers that only another server, or this one later, will not give: the connection is of no more use. */
const misplaced: ReadonlySet<string> = new Set([
  "READONLY",
  "MOVED",
  "ASK",
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "UNBLOCKED",
  "NOAUTH",
]);

/** The server refused a command: nothing of it was done. */
export class RefusedError extends Error {
  /** The first word of the answer, such as `OOM`. */
  readonly reply: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.reply = message.split(" ", 1)[0]!;
  }

  /** Whether the connection leads to the wrong server, or to one that is not ready. */
  get misplaced(): boolean {
    return misplaced.has(this.reply);
  }
}

/** The connection was lost before the answer: what was asked for may have been done. */
export class UnansweredError extends Error {}

/** What an error means for the caller of a store at `place`, which is free of secrets. */
export function storeError(error: unknown, place: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const code = error instanceof RefusedError ? codes[error.reply] : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return new SpillwayError(code ?? "store-unavailable", `${place}: ${message}`, { cause: error });
}

/** What an error means for the group that met it: only what was not answered may have been done. */
export function driverFailure(error: unknown, place: string): DriverFailure {
  const unanswered = error instanceof UnansweredError;
  return { error: storeError(error, place), unknown: unanswered, retry: unanswered };
}

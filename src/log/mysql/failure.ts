import { type ErrorCode, SpillwayError } from "../../errors.ts";
import { type DriverFailure, LogReplacedError } from "../engine/driver.ts";

/** The servers' error numbers; what is not named is `store-unavailable`. */
const codes: Readonly<Record<number, ErrorCode>> = {
  126: "store-corrupt", // index file is crashed
  1021: "store-full", // disk full
  1034: "store-corrupt", // incorrect key file
  1114: "store-full", // the table is full
  1194: "store-corrupt", // table is marked as crashed
  1290: "store-readonly", // --read-only, --super-read-only
  1712: "store-corrupt", // index is corrupted
  1792: "store-readonly", // read-only transaction
  1836: "store-readonly", // read-only mode
  3675: "store-full", // tablespace is full
};

/** Lock wait timeout, deadlock, and a row changed under a snapshot: the same transaction may succeed when it is run again. */
const contention: ReadonlySet<number> = new Set([1020, 1205, 1213]);

/** Shutdown, query interrupted, connection killed, closed for idleness: the last words of a session, which say nothing of a statement. */
const lastWords: ReadonlySet<number> = new Set([1053, 1077, 1079, 1317, 1927, 4031]);

/** No such table: the schema was removed under an open store. */
const missingTable = 1146;

/** A column is there already: its migration was run before. */
const duplicateColumn = 1060;

interface ServerError {
  readonly errno?: number | undefined;
  readonly sqlState?: string | undefined;
}

/** Thrown where a transaction may have been committed: its last statements were sent, and their answer is an error, or was lost. */
export class CommitError extends Error {
  constructor(cause: unknown) {
    super("the transaction may have been committed", { cause });
  }
}

/** Whether an error means that the connection was lost, and the answer with it: the server did not say what is wrong. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof CommitError) return isConnectionLost(error.cause);
  if (error instanceof SpillwayError || error instanceof LogReplacedError) return false;
  return (error as ServerError).sqlState === undefined || lastWords.has(numberOf(error) ?? 0);
}

/** Whether the store's tables are gone. */
export function isMissingTable(error: unknown): boolean {
  return numberOf(error) === missingTable;
}

/** Whether a table has the column that was to be added. */
export function isDuplicateColumn(error: unknown): boolean {
  return numberOf(error) === duplicateColumn;
}

/**
 * The error that a caller of a store at `place` gets. That of the client library is not kept as its cause: it holds the whole statement,
 * and with it the events.
 */
export function storeError(error: unknown, place: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SpillwayError(codes[numberOf(error) ?? 0] ?? "store-unavailable", `${place}: ${message}`);
}

/** What an error means for the group that met it. */
export function driverFailure(error: unknown, place: string): DriverFailure {
  if (error instanceof CommitError) return { ...driverFailure(error.cause, place), unknown: true };
  const failure = { error: storeError(error, place) };
  if (error instanceof SpillwayError) return failure;
  if (isConnectionLost(error) || contention.has(numberOf(error)!)) return { ...failure, retry: true };
  // A full disk concerns every batch; an error without a code of its own may be the fault of one.
  return { ...failure, divisible: failure.error.code === "store-unavailable" };
}

function numberOf(error: unknown): number | undefined {
  return (error as ServerError).errno;
}

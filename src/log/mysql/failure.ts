import { type ErrorCode, SpillwayError } from "../../errors.ts";

/** An append that was not made, and why. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

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

/** No such table: somebody removed the schema under an open store. */
const missingTable = 1146;

/** A column is there already: its migration was run before. */
const duplicateColumn = 1060;

interface ServerError {
  readonly errno?: number | undefined;
  readonly sqlState?: string | undefined;
}

/** Whether the same transaction may succeed when it is run again. */
export function isContention(error: unknown): boolean {
  return contention.has(numberOf(error) ?? 0);
}

/** Whether the server said what is wrong; otherwise the connection was lost, and with it the answer. */
export function isServerError(error: unknown): boolean {
  if (error instanceof SpillwayError) return true;
  return (error as ServerError).sqlState !== undefined && !lastWords.has(numberOf(error) ?? 0);
}

/** Whether the store's tables are gone. */
export function isMissingTable(error: unknown): boolean {
  return numberOf(error) === missingTable;
}

/** Whether a table has the column that was to be added. */
export function isDuplicateColumn(error: unknown): boolean {
  return numberOf(error) === duplicateColumn;
}

/** What an error of the driver means for the caller of a store at `place`. */
export function toFailure(error: unknown, place: string): Failure {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: codes[numberOf(error) ?? 0] ?? "store-unavailable", message: `${place}: ${message}` };
}

/** As {@link toFailure}. The driver's error is not kept as the cause: it holds the whole statement, and with it the events. */
export function storeError(error: unknown, place: string): SpillwayError {
  return error instanceof SpillwayError ? error : failureError(toFailure(error, place));
}

/** The error of a failure. */
export function failureError({ code, message }: Failure): SpillwayError {
  return new SpillwayError(code, message);
}

function numberOf(error: unknown): number | undefined {
  return (error as ServerError).errno;
}

import { type ErrorCode, SpillwayError } from "../../errors.ts";
import type { DriverFailure } from "../engine/driver.ts";

/** What conditions mean for the caller of a store (postgresql.org/docs/current/errcodes-appendix.html). */
const codes: Readonly<Record<string, ErrorCode>> = {
  "25006": "store-readonly", // read_only_sql_transaction: a standby, or a primary that became one
  "42501": "store-readonly", // insufficient_privilege
  "42P07": "store-corrupt", // duplicate_table: the schema holds tables of something else
  "53100": "store-full", // disk_full
  "XX001": "store-corrupt", // data_corrupted
  "XX002": "store-corrupt", // index_corrupted
};

/** Conditions under which the tables are not there. */
const absent: ReadonlySet<string> = new Set(["3F000", "42P01", "42883"]);

/** Conditions that a statement meets by chance: it has done nothing, and may be run again. */
const transient: ReadonlySet<string> = new Set(["40001", "40P01"]);

/** The SQLSTATE of an error; `undefined` if it did not come from the server. */
function stateOf(error: unknown): string | undefined {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown };
  // Only the server says how severe it is; `EPIPE` has five letters, too.
  return typeof code === "string" && severity !== undefined ? code : undefined;
}

/** The error that a caller of the store gets for what the driver threw. Whatever the table does not name is `store-unavailable`. */
export function storeError(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const code = codes[stateOf(error) ?? ""] ?? "store-unavailable";
  return new SpillwayError(code, `PostgreSQL: ${messageOf(error)}`, { cause: error });
}

/** Whether the tables, the functions or the whole schema are gone. */
export function isAbsent(error: unknown): boolean {
  return absent.has(stateOf(error) ?? "");
}

/**
 * Whether a connection is of no more use after the error: the server has no say in it, it is going down (classes 08 and 57), or it
 * takes no writes any more.
 */
export function breaksConnection(error: unknown): boolean {
  const state = stateOf(error);
  return state === undefined || /^(?:08|57|25006)/.test(state);
}

/** What an error means for the statement that met it. */
export function driverFailure(error: unknown): DriverFailure {
  const failure = { error: storeError(error) };
  if (error instanceof SpillwayError || stateOf(error) === "25006") return failure;
  if (breaksConnection(error)) return { ...failure, unknown: true, retry: true };
  if (transient.has(stateOf(error)!)) return { ...failure, retry: true };
  // A full disk concerns every batch; what has no code of its own may be the fault of one.
  return { ...failure, divisible: failure.error.code === "store-unavailable" };
}

/** A connection refused at several addresses is an error without a message of its own. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as NodeJS.ErrnoException).code);
}

import { utimesSync } from "node:fs";
import { type ErrorCode, SpillwayError } from "../../errors.ts";

/** An error in a form that crosses threads. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** SQLite's result codes (sqlite.org/rescode.html): an extended code is looked up first, then its low byte. */
const codes: Readonly<Record<number, ErrorCode>> = {
  5: "store-locked", // BUSY
  6: "store-locked", // LOCKED
  8: "store-readonly", // READONLY
  11: "store-corrupt", // CORRUPT
  13: "store-full", // FULL
  26: "store-corrupt", // NOTADB
  4874: "store-full", // IOERR_SHMSIZE: no room for the shared memory beside the file
  8458: "store-corrupt", // IOERR_CORRUPTFS
};

/** The same of the system's codes, for the files beside the database. */
const systemCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "store-full",
  EDQUOT: "store-full",
  EROFS: "store-readonly",
  EACCES: "store-readonly",
  EPERM: "store-readonly",
};

/** What an error of the driver means for the caller of a store. Whatever the tables do not name is `store-unavailable`. */
export function toFailure(error: unknown): Failure {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  const system = systemCodes[(error as NodeJS.ErrnoException).code ?? ""];
  const code = system ?? codes[resultCode(error)] ?? codes[resultCode(error) & 0xff] ?? "store-unavailable";
  return { code, message: error instanceof Error ? error.message : String(error) };
}

/** The error of a failure at `path`. */
export function failureError({ code, message }: Failure, path: string): SpillwayError {
  const known = code === "store-unavailable" && isReadOnly(path) ? "store-readonly" : code;
  const named = !known.startsWith("store-") || message.includes(path);
  return new SpillwayError(known, named ? message : `${path}: ${message}`);
}

/** As {@link failureError}, from what the driver threw on this thread. */
export function storeError(error: unknown, path: string): SpillwayError {
  return error instanceof SpillwayError ? error : failureError(toFailure(error), path);
}

/** A file system that turned read-only under an open file is an I/O error to SQLite; a touch of the file tells. */
function isReadOnly(path: string): boolean {
  try {
    utimesSync(path, new Date(), new Date());
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** The extended result code; `@photostructure/sqlite` keeps it in a property of its own. */
function resultCode(error: unknown): number {
  const { errcode = 0, sqliteExtendedCode = errcode } = error as { errcode?: number; sqliteExtendedCode?: number };
  return sqliteExtendedCode;
}

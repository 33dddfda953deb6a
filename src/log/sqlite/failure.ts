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

/** The system's error codes, for the files beside the database. */
const systemCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "store-full",
  EDQUOT: "store-full",
  EROFS: "store-readonly",
  EACCES: "store-readonly",
  EPERM: "store-readonly",
};

/** Maps an error of the driver to an error code of the store; `store-unavailable` if the tables do not have it. */
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

/** Like {@link failureError}, for an error that the driver threw in this thread. */
export function storeError(error: unknown, path: string): SpillwayError {
  return error instanceof SpillwayError ? error : failureError(toFailure(error), path);
}

/**
 * SQLite reports an I/O error if the file system becomes read-only under an open file, so this tries to touch the file.
 */
function isReadOnly(path: string): boolean {
  try {
    utimesSync(path, new Date(), new Date());
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** The extended result code, which `@photostructure/sqlite` keeps in a separate property. */
function resultCode(error: unknown): number {
  const { errcode = 0, sqliteExtendedCode = errcode } = error as { errcode?: number; sqliteExtendedCode?: number };
  return sqliteExtendedCode;
}

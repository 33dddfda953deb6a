import { SpillwayError } from "../../errors.ts";
import type { SqliteDatabase, SqliteDriver } from "./driver.ts";
import { createPrivate } from "./private-files.ts";
import { storeError, toFailure } from "./failure.ts";

/**
 * Locks a log for this store until the returned lock is closed or the process ends, even by a crash. The lock is a
 * transaction held open on an empty file beside the log, so that others can still read the log itself. The file is not
 * removed: otherwise two processes could lock two different files of the same name.
 * @throws {SpillwayError} `store-locked`.
 */
export function lockLog(driver: SqliteDriver, path: string): SqliteDatabase {
  let lock: SqliteDatabase | undefined;
  try {
    createPrivate(path);
    createPrivate(`${path}.lock`);
    lock = new driver.DatabaseSync(`${path}.lock`, { readOnly: false });
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (toFailure(cause).code !== "store-locked") throw storeError(cause, path);
    throw new SpillwayError(
      "store-locked",
      `${path} is in use by another process or store: stop that one, or choose another file`,
      { cause },
    );
  }
}

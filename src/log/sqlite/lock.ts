import { SpillwayError } from "../../errors.ts";
import type { SqliteDatabase, SqliteDriver } from "./driver.ts";
import { createPrivate } from "./private-files.ts";
import { storeError, toFailure } from "./failure.ts";

/**
 * Claims a log for this store until the returned lock is closed or the process ends, however it ends. The lock is a
 * transaction held open on an empty file beside the log, so the log itself stays readable for others. The file is left
 * behind: to remove it would let two processes lock two files of one name.
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

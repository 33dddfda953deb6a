import type { SqliteDatabase } from "./driver.ts";

/** Runs `write` in a write transaction: commits everything or, if `write` throws, nothing. */
export function transact<T>(database: SqliteDatabase, write: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = write();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Runs `read` in a transaction, so that all its reads see the same snapshot. */
export function readInTransaction<T>(database: SqliteDatabase, read: () => T): T {
  database.exec("BEGIN");
  try {
    return read();
  } finally {
    rollBack(database);
  }
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has already rolled back, as it does when the disk is full.
  }
}

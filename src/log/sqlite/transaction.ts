import type { SqliteDatabase } from "./driver.ts";

/** Runs `write` in a write transaction: all of it is committed or, if anything throws, nothing. */
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

/** Runs `read` in a transaction, so that everything in it is read from one snapshot. */
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
    // SQLite has rolled back by itself, as it does when the disk is full.
  }
}

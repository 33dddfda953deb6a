import { SpillwayError } from "../../errors.ts";
import type { SqliteDatabase, SqliteDriver } from "./driver.ts";
import type { DatabaseSettings } from "./messages.ts";
import { checkSchema, prepareSchema } from "./schema.ts";

/**
 * - `busy_timeout`: how long to wait for a person who writes with `sqlite3`, in ms.
 * - `wal_autocheckpoint`, in pages: a checkpoint moves about 8 MiB, in this thread, where it delays no reader.
 * - `journal_size_limit`: gives the space of a write-ahead log that had to grow back to the disk.
 * - `cache_size`, in KiB: holds the inner pages of the indexes of a large log.
 */
const pragmas = `
  PRAGMA wal_autocheckpoint = 2000;
  PRAGMA journal_size_limit = 33554432;
  PRAGMA cache_size = -16384;`;

/**
 * Opens the database for writing; makes it on first use.
 * @throws {SpillwayError} `store-corrupt`, `store-schema`; other errors as the driver throws them.
 */
export function openWriterDatabase(driver: SqliteDriver, { path, synchronous }: DatabaseSettings): SqliteDatabase {
  const database = new driver.DatabaseSync(path, { readOnly: false });
  try {
    database.exec("PRAGMA busy_timeout = 2000");
    // Before anything is written: the file may belong to something else.
    checkSchema(database);
    useWriteAheadLog(database);
    database.exec(`${pragmas} PRAGMA synchronous = ${synchronous};`);
    prepareSchema(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Closes the database, and leaves the whole log in its one file if that can be done. */
export function closeWriterDatabase(database: SqliteDatabase): void {
  try {
    // Not left to `close`: `@photostructure/sqlite` keeps a connection until its statements are collected as garbage.
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // On a full disk the events stay in the write-ahead log, where the next start finds them.
  }
  database.close();
}

/** Readers read while the writer writes. Not every file system supports it. */
function useWriteAheadLog(database: SqliteDatabase): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (mode !== "wal")
    throw new SpillwayError("store-unavailable", "the file system does not support write-ahead logging");
}

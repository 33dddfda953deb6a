import { SpillwayError } from "../../errors.ts";
import type { SqliteDatabase, SqliteDriver } from "./driver.ts";
import type { DatabaseSettings } from "./messages.ts";
import { checkSchema, prepareSchema } from "./schema.ts";

/**
 * - `busy_timeout`, in ms: how long to wait while someone writes with `sqlite3`.
 * - `wal_autocheckpoint`, in pages: a checkpoint moves about 8 MiB, in this thread, where it does not delay readers.
 * - `journal_size_limit`, in bytes: frees the disk space of a write-ahead log that has grown beyond this.
 * - `cache_size`, in KiB if negative: enough for the inner pages of the indexes of a large log.
 */
const pragmas = `
  PRAGMA wal_autocheckpoint = 2000;
  PRAGMA journal_size_limit = 33554432;
  PRAGMA cache_size = -16384;`;

/**
 * Opens the database for writing, and creates it on first use.
 * @throws {SpillwayError} `store-corrupt`, `store-schema`; other errors as the driver throws them.
 */
export function openWriterDatabase(driver: SqliteDriver, { path, synchronous }: DatabaseSettings): SqliteDatabase {
  const database = new driver.DatabaseSync(path, { readOnly: false });
  try {
    database.exec("PRAGMA busy_timeout = 2000");
    // Before anything is written, because the file may belong to another application.
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

/** Closes the database, after moving the whole log into its main file if possible. */
export function closeWriterDatabase(database: SqliteDatabase): void {
  try {
    // Not left to `close`: `@photostructure/sqlite` keeps a connection until its statements are garbage-collected.
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // On a full disk the events stay in the write-ahead log, where the next start finds them.
  }
  database.close();
}

/** With a write-ahead log, readers can read during writes. Not every file system supports it. */
function useWriteAheadLog(database: SqliteDatabase): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (mode !== "wal")
    throw new SpillwayError("store-unavailable", "the file system does not support write-ahead logging");
}

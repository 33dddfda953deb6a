import { SpillwayError } from "../../errors.ts";
import type { SqliteDriver } from "./driver.ts";
import { storeError } from "./failure.ts";
import { createStatements, type Statements } from "./statements.ts";
import { readInTransaction } from "./transaction.ts";

/** A connection that only reads. */
export interface Snapshots {
  /**
   * Runs `read` on one snapshot of the database: the latest committed state.
   * @throws {SpillwayError} `store-closed`, `store-corrupt`, `store-unavailable`.
   */
  read<T>(read: (statement: Statements) => T): T;
  /** Idempotent. */
  close(): void;
}

/** Opens a connection to a log that a writer has open. */
export function openSnapshots(driver: SqliteDriver, path: string): Snapshots {
  const database = new driver.DatabaseSync(path, { readOnly: true });
  const statement = createStatements(database);
  let closed = false;

  return {
    read(read) {
      if (closed) throw new SpillwayError("store-closed");
      try {
        return readInTransaction(database, () => read(statement));
      } catch (error) {
        throw storeError(error, path);
      }
    },
    close() {
      if (closed) return;
      closed = true;
      database.close();
    },
  };
}

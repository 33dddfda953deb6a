import { LRUCache } from "lru-cache";
import type { SqliteDatabase, SqliteStatement } from "./driver.ts";

/** Prepares the statements of a connection, and caches them. */
export type Statements = (sql: string) => SqliteStatement;

/** Maximum number of cached statements. Filters of different lengths are different statements. */
const maxStatements = 100;

/** Makes an empty cache. When it is full, the least recently used statement is removed. */
export function createStatements(database: SqliteDatabase): Statements {
  const statements = new LRUCache<string, SqliteStatement>({ max: maxStatements });
  return (sql) => {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
}

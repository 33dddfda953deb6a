import { LRUCache } from "lru-cache";
import type { SqliteDatabase, SqliteStatement } from "./driver.ts";

/** The statements of a connection, each prepared once. */
export type Statements = (sql: string) => SqliteStatement;

/** Filters of different length are different statements; more than this are not kept. */
const maxStatements = 100;

/** Makes an empty cache. */
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

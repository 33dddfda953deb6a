import type { SqliteDatabase, SqliteStatement } from "./driver.ts";

/** The statements of a connection, each prepared once. */
export type Statements = (sql: string) => SqliteStatement;

/** Filters of different length are different statements; more than this are not kept. */
const maxStatements = 100;

/** Makes an empty cache; when it is full, the statement unused for longest goes. */
export function createStatements(database: SqliteDatabase): Statements {
  const statements = new Map<string, SqliteStatement>();
  return (sql) => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.delete(sql);
    statements.set(sql, statement);
    if (statements.size > maxStatements) statements.delete(statements.keys().next().value!);
    return statement;
  };
}

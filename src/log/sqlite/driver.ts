import { driverMissing } from "../engine/driver-missing.ts";

/** What SQLite stores in a column here. */
export type SqlValue = string | number | Uint8Array | null;

/** A row by column names. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The part of a `node:sqlite` statement that is used. */
export interface SqliteStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  iterate(...values: SqlValue[]): Iterable<SqlRow>;
}

/** The part of a `node:sqlite` database that is used. */
export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/** The part of the `node:sqlite` module that is used. */
export interface SqliteDriver {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => SqliteDatabase;
}

const packageName = "@photostructure/sqlite";

/**
 * Loads Node's own SQLite, or a package with the same API where Node does not have it.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver(): Promise<SqliteDriver> {
  const builtIn = loadBuiltIn();
  if (builtIn) return builtIn;
  try {
    return (await import(packageName)) as SqliteDriver;
  } catch (cause) {
    throw driverMissing("SQLite", [packageName], cause);
  }
}

/** From 22.13 on it needs no flag and has all that is used here. */
function loadBuiltIn(): SqliteDriver | undefined {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  return withoutExperimentalWarning(() => process.getBuiltinModule("node:sqlite") as SqliteDriver | undefined);
}

/** Loading `node:sqlite` warns once that it is experimental; every other warning still comes through. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] === "ExperimentalWarning" && String(warning).includes("SQLite")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

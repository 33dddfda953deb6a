import { driverMissing } from "../../errors.ts";

/** A value in a column. */
export type SqlValue = string | number | Uint8Array | null;

/** A row by column names. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The subset of a `node:sqlite` statement that is used. */
export interface SqliteStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  iterate(...values: SqlValue[]): Iterable<SqlRow>;
}

/** The subset of a `node:sqlite` database that is used. */
export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/** The subset of the `node:sqlite` module that is used. */
export interface SqliteDriver {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => SqliteDatabase;
}

/**
 * Loads Node's own SQLite, or a package with the same API if Node lacks it.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver(): Promise<SqliteDriver> {
  const builtIn = loadBuiltIn();
  if (builtIn) return builtIn;
  try {
    return await import("@photostructure/sqlite");
  } catch (cause) {
    throw driverMissing("SQLite store", ["@photostructure/sqlite"], cause);
  }
}

/**
 * The binaries of the package. Next.js and Nitro copy the files that a program names, and the package computes the path of
 * its binary.
 */
export const driverBinaries: readonly URL[] = [
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/darwin-arm64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/darwin-x64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/linux-arm64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/linux-arm64/@photostructure+sqlite.musl.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/linux-x64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/linux-x64/@photostructure+sqlite.musl.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/win32-arm64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
  new URL(
    "../../../node_modules/@photostructure/sqlite/prebuilds/win32-x64/@photostructure+sqlite.glibc.node",
    import.meta.url,
  ),
];

/** From Node 22.13 on, it needs no flag and has everything that is used here. */
function loadBuiltIn(): SqliteDriver | undefined {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  return withoutExperimentalWarning(() => process.getBuiltinModule("node:sqlite") as SqliteDriver | undefined);
}

/** Suppresses the warning that `node:sqlite` is experimental, and no other warning. */
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

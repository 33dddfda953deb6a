import { driverMissing } from "../../errors.ts";

/** What is stored in a column here. */
export type SqlValue = string | number | Uint8Array | null;

/** A row by column names. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** What a statement that selects nothing is answered with. */
export interface SqlOutcome {
  /** Rows that the statement's condition matched, changed or not. */
  readonly affectedRows: number;
}

/** The answer to one statement. */
export type SqlResult = readonly SqlRow[] | SqlOutcome;

/** How the driver connects. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl?: TlsSettings;
  readonly charset: string;
  readonly multipleStatements: boolean;
  readonly connectTimeout: number;
}

/** How the connection is encrypted. */
export interface TlsSettings {
  readonly rejectUnauthorized: boolean;
  readonly verifyIdentity: boolean;
  /** Certificates in PEM. */
  readonly ca?: string;
}

/** The part of a `mysql2` connection that is used. */
export interface DriverConnection {
  readonly stream: { destroy(): void };
  query(sql: string, values: unknown, done: (error: Error | null, result: unknown) => void): void;
  on(event: "connect" | "end" | "error", listener: (error: Error) => void): void;
  end(done: () => void): void;
  destroy(): void;
}

/** The part of the `mysql2` module that is used. */
export interface MysqlDriver {
  createConnection(settings: ConnectionSettings): DriverConnection;
  /** A value as a literal of SQL. */
  escape(value: SqlValue): string;
}

const packageName = "mysql2";

/**
 * Loads the driver.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver(): Promise<MysqlDriver> {
  try {
    const { default: driver } = (await import(packageName)) as { default: MysqlDriver };
    return driver;
  } catch (cause) {
    throw driverMissing("MySQL store", [packageName], cause);
  }
}

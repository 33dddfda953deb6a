import { driverMissing } from "../../errors.ts";

/** What a parameter of a statement may be here. */
export type SqlValue = string | number | null | readonly (string | number | null)[];

/** A statement with its parameters. */
export interface Statement {
  /** Under which each connection prepares it, once; absent for one that is prepared anew each time. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly SqlValue[];
}

/** A row by column names. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** What the driver tells of a notification. */
export interface PgNotification {
  readonly payload?: string | undefined;
}

/** The part of a `pg` client that is used. */
export interface PgClient {
  connect(): Promise<unknown>;
  query(statement: Statement): Promise<{ readonly rows: SqlRow[] }>;
  /** Says good-bye; cuts the connection where a query is under way. */
  end(): Promise<void>;
  on(event: "error" | "end", listener: () => void): unknown;
  on(event: "notification", listener: (notification: PgNotification) => void): unknown;
  /** What `pg` keeps its socket in. */
  readonly connection: { readonly stream: { destroy(): void; unref?(): void } };
}

/** A client that a pool lends. */
export interface PgPoolClient extends PgClient {
  /** Gives it back; with `true` it is closed. */
  release(destroy: boolean): void;
}

/** The part of a `pg` pool that is used. */
export interface PgPool {
  connect(): Promise<PgPoolClient>;
  /** Closes its clients once they are given back. */
  end(): Promise<void>;
  on(event: "error", listener: () => void): unknown;
  on(event: "connect" | "remove", listener: (client: PgClient) => void): unknown;
}

/** The connection settings of `pg`. */
export interface PgSettings {
  readonly connectionString: string;
  /** Name under which the server lists the connection, unless the URL has another. */
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  readonly query_timeout: number;
  readonly keepAlive: boolean;
}

/** The part of the `pg` module that is used. */
export interface PgDriver {
  readonly Client: new (settings: PgSettings) => PgClient;
  readonly Pool: new (settings: PgSettings & { readonly max: number }) => PgPool;
}

const packageName = "pg";

/**
 * Loads the driver.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver(): Promise<PgDriver> {
  try {
    return (await import(packageName)) as PgDriver;
  } catch (cause) {
    throw driverMissing("PostgreSQL store", [packageName], cause);
  }
}

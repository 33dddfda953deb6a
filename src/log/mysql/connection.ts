import type { DriverConnection, MysqlDriver, SqlOutcome, SqlResult, SqlRow, SqlValue } from "./driver.ts";
import type { Location } from "./location.ts";

/** Values of a statement's placeholders; a list stands for `a, b, c`. */
export type SqlParameters = readonly (SqlValue | readonly SqlValue[])[];

/** A session at the server. */
export interface Connection {
  /** False once it was lost or closed. */
  readonly usable: boolean;
  /** The largest statement that the server takes, in bytes. */
  readonly maxPacket: number;
  /** Runs a statement that selects. */
  rows(sql: string, values?: SqlParameters): Promise<readonly SqlRow[]>;
  /** Runs a statement that selects nothing; resolves to the number of rows that it matched. */
  run(sql: string, values?: SqlParameters): Promise<number>;
  /** Runs two statements or more in one round trip; the first that fails is the last that is run. */
  script(sql: string, values?: SqlParameters): Promise<readonly SqlResult[]>;
  /** Ends it at once; what is under way fails. */
  destroy(): void;
  /** Ends it as the server likes it. */
  close(): void;
}

/** How long connecting may take and how long a statement, in ms. */
const connectTimeout = 3_000;
const statementTimeout = 6_000;

/**
 * - `sql_mode`: values that do not fit are refused, and a backslash in a text is escaped as the driver does it.
 * - `innodb_lock_wait_timeout`, in s: longer than the server keeps the locks of a session that went silent, see `transaction.ts`.
 */
const sessionSettings = `
  SET SESSION sql_mode = 'STRICT_ALL_TABLES', autocommit = 1, innodb_lock_wait_timeout = 4;
  SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
  SELECT @@max_allowed_packet AS size`;

/** How a server is connected to. */
export interface ServerSettings {
  readonly driver: MysqlDriver;
  readonly location: Location;
  /** Further options of the driver. */
  readonly client: Readonly<Record<string, unknown>> | undefined;
}

/** Opens a session. Errors come as the driver makes them. */
export async function openConnection({ driver, location, client }: ServerSettings): Promise<Connection> {
  const { host, port, user, password, database, tls } = location;
  const raw = driver.createConnection({
    ...client,
    host,
    port,
    user,
    password,
    database,
    ...(tls && { ssl: tls }),
    charset: "utf8mb4",
    multipleStatements: true,
    connectTimeout,
  });
  const connection = wrap(raw);
  try {
    const [, , rows] = await connection.script(sessionSettings);
    return Object.assign(connection, { maxPacket: Number((rows as readonly SqlRow[])[0]!["size"]) });
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

interface Usable extends Connection {
  usable: boolean;
}

function wrap(raw: DriverConnection): Connection {
  /** Ends the query under way with an error; a connection runs one at a time. */
  let fail: (error: Error) => void = () => {};

  function query(sql: string, values: SqlParameters | undefined): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise((resolve, reject) => {
      fail = reject;
      timer = setTimeout(() => connection.destroy(), statementTimeout);
      raw.query(sql, values, (error, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
    return answer.finally(() => clearTimeout(timer));
  }

  const lose = (): void => {
    connection.usable = false;
  };
  raw.on("error", lose);
  raw.on("end", lose);

  const connection: Usable = {
    usable: true,
    maxPacket: 0,
    rows: async (sql, values) => (await query(sql, values)) as readonly SqlRow[],
    run: async (sql, values) => ((await query(sql, values)) as SqlOutcome).affectedRows,
    script: async (sql, values) => (await query(sql, values)) as readonly SqlResult[],
    destroy() {
      lose();
      raw.destroy();
      // The driver only ends its half, which a network that hangs would keep open.
      raw.stream.destroy();
      fail(new Error("the connection was closed before the answer came"));
    },
    close() {
      lose();
      const timer = setTimeout(() => connection.destroy(), 1_000).unref();
      raw.end(() => clearTimeout(timer));
    },
  };
  return connection;
}

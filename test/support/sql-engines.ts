import mysqlDriver from "mysql2/promise";
import pg from "pg";
import { onTestFinished } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import type { EngineStoreOptions } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import type { EngineServer } from "./engine-server.ts";
import { isPresent } from "./engines.ts";
import { type MysqlPlace, openMysqlPlace, startMysql, trxPollInterval } from "./mysql.ts";
import { openPostgresPlace, startPostgres } from "./postgres.ts";
import { eventually } from "./reader.ts";
import { closedAfterTest } from "./store-nodes.ts";

/** Separate tables, as both engines have them. */
export type SqlPlace = Omit<MysqlPlace, "prefix">;

/** A transaction of another session that blocks appends to the only stream of a place. */
export interface AppendBlock {
  /** Resolves when this many appends wait. */
  untilBlocked(appends: number): Promise<void>;
  /** Ends the waiting sessions. */
  killBlocked(): Promise<void>;
  /** Ends the transaction, without any change. */
  release(): Promise<void>;
}

/** What the tests of both SQL servers need. */
export interface SqlEngine {
  readonly name: string;
  startServer(): Promise<EngineServer>;
  /** Creates unique names for tables. Default: on the server that tests share. */
  openPlace(server?: string): SqlPlace;
  /** Opens a store that is closed after the test. */
  openStore(url: string, options?: Partial<EngineStoreOptions>): Promise<LogStore>;
  blockAppends(place: SqlPlace): Promise<AppendBlock>;
}

const postgres: SqlEngine = {
  name: "postgres",
  startServer: () => startPostgres(),
  openPlace: openPostgresPlace,
  openStore: (url, options) => closedAfterTest(createPostgresStore({ url, node: "a", ...options })),
  /** Locks the stream's row. */
  async blockAppends({ url, table, query }) {
    const client = new pg.Client({ connectionString: url.replace(/[?&]schema=\w+/, "") });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`BEGIN; SELECT FROM ${table("streams")} FOR UPDATE`);
    const blocked = `FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"$schema".append_events%'`;
    return {
      untilBlocked: (appends) =>
        eventually(async () => (await query(`SELECT ${blocked}`)).length === appends, `${appends} waiting appends`),
      killBlocked: async () => void (await query(`SELECT pg_terminate_backend(pid) ${blocked}`)),
      release: async () => void (await client.query("ROLLBACK")),
    };
  },
};

const mysql: SqlEngine = {
  name: "mysql",
  startServer: () => startMysql(),
  openPlace: openMysqlPlace,
  openStore: (url, options) => closedAfterTest(createMysqlStore({ url, node: "a", ...options })),
  /** Takes the next number of the stream: by then, an append has executed its other statements. */
  async blockAppends({ url, table, query }) {
    const connection = await mysqlDriver.createConnection(url.split("?")[0]!);
    onTestFinished(() => connection.end());
    await connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    await connection.query("START TRANSACTION");
    await connection.query(
      `INSERT INTO ${table("events")} (stream, seq, time, event, data, bytes, event_hash)
        SELECT id, head + 1, 0, '', '', 0, 1 FROM ${table("streams")}`,
    );
    const blocked = "FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND LOCATE('$', trx_query) > 0";
    return {
      untilBlocked: (appends) =>
        eventually(
          async () => (await query(`SELECT 1 ${blocked}`)).length === appends,
          `${appends} waiting appends`,
          trxPollInterval,
        ),
      async killBlocked() {
        for (const { id } of await query(`SELECT trx_mysql_thread_id AS id ${blocked}`))
          await query(`KILL ${Number(id)}`);
      },
      release: async () => void (await connection.query("ROLLBACK")),
    };
  },
};

/** Both SQL servers, if they are available. */
export const sqlEngines: readonly SqlEngine[] = [postgres, mysql].filter(isPresent);

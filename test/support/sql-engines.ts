import { onTestFinished } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import type { EngineStoreOptions } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { type MysqlServer, openMysqlPlace, startMysql } from "./mysql.ts";
import { openPostgresPlace, startPostgres } from "./postgres.ts";

/** A server of one's own, as both engines have it. */
export type SqlServer = Omit<MysqlServer, "folder">;

/** What the tests of both SQL servers need of one. */
export interface SqlEngine {
  readonly name: string;
  startServer(): Promise<SqlServer>;
  /** The URL of tables that no other test uses. */
  placeAt(server: string): string;
  /** Opens a store that is closed after the test. */
  openStore(url: string, options?: Partial<EngineStoreOptions>): Promise<LogStore>;
}

async function closedAfterTest(opening: Promise<LogStore>): Promise<LogStore> {
  const store = await opening;
  onTestFinished(() => store.close());
  return store;
}

/** Those that do not run here, as vitest.config.ts has found. */
const missing = (process.env["MISSING_ENGINES"] ?? "").split(",");

const all: readonly SqlEngine[] = [
  {
    name: "postgres",
    startServer: () => startPostgres(),
    placeAt: (server) => openPostgresPlace(server).url,
    openStore: (url, options) => closedAfterTest(createPostgresStore({ url, node: "a", ...options })),
  },
  {
    name: "mysql",
    startServer: () => startMysql(),
    placeAt: (server) => openMysqlPlace(server).url,
    openStore: (url, options) => closedAfterTest(createMysqlStore({ url, node: "a", ...options })),
  },
];

/** Both SQL servers, if they run here. */
export const sqlEngines: readonly SqlEngine[] = all.filter(({ name }) => !missing.includes(name));

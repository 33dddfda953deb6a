import { onTestFinished } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import type { EngineStoreOptions } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { openMysqlPlace, startMysql } from "./mysql.ts";
import { openPostgresPlace, startPostgres } from "./postgres.ts";

/** A server of one's own, as both engines have it. */
export interface SqlServer {
  readonly port: number;
  readonly url: string;
  start(): Promise<void>;
  /** Stops it as an administrator does: connections are cut, what was committed is there afterwards. */
  stop(): Promise<void>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
  /** Keeps a copy of what it holds; it is stopped for that, and runs afterwards. */
  save(): Promise<void>;
  /** Kills it and starts it with the copy. */
  restore(): Promise<void>;
  remove(): Promise<void>;
}

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

import { openMysqlPlace, startMysql } from "./mysql.ts";
import { openNatsPlace, startNats } from "./nats.ts";
import { openPostgresPlace, startPostgres } from "./postgres.ts";
import { openRedisPlace, startRedis } from "./redis.ts";

/** Room of one's own on the engine that tests share. */
export interface EnginePlace {
  readonly url: string;
  remove(): Promise<void>;
}

/** An engine of a test's own. */
export interface EngineServer {
  readonly url: string;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
  /** Starts it again with what it has on disk. */
  start(): Promise<void>;
  /** Ends it and removes its files. */
  remove(): Promise<void>;
}

/** A store that nodes share. */
export interface Engine {
  /** As its tests have it in their paths. */
  readonly name: string;
  openPlace(): EnginePlace;
  /** Starts one that has all on disk that it has confirmed. */
  startServer(): Promise<EngineServer>;
}

/** Those that do not run here, as vitest.config.ts has found. */
const missing = (process.env["MISSING_ENGINES"] ?? "").split(",");

const all: readonly Engine[] = [
  { name: "postgres", openPlace: () => openPostgresPlace(), startServer: () => startPostgres() },
  { name: "mysql", openPlace: () => openMysqlPlace(), startServer: () => startMysql() },
  { name: "redis", openPlace: openRedisPlace, startServer: () => startRedis() },
  { name: "nats", openPlace: openNatsPlace, startServer: () => startNats() },
];

/** Every store that nodes can share, as far as its engine is here. */
export const engines: readonly Engine[] = all.filter(({ name }) => !missing.includes(name));

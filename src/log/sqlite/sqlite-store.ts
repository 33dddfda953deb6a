import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import type { Log, LogOptions, LogStore } from "../log.ts";
import { loadDriver, type SqliteDatabase } from "./driver.ts";
import { storeError } from "./failure.ts";
import { locateLog } from "./location.ts";
import { lockLog } from "./lock.ts";
import { closeToOthers } from "./private-files.ts";
import { openSnapshots } from "./snapshots.ts";
import { SqliteLog, type SqliteLogDependencies } from "./sqlite-log.ts";
import { createWriterClient, type WriterEvents } from "./writer-client.ts";

/** How often retention is applied, in ms. */
const trimInterval = 1_000;

export interface SqliteStoreOptions {
  /** The database file; relative to the working directory. It is made on first use, its folder is not. */
  readonly path: string;
  /**
   * What a resolved append has survived: `full` a power cut, `normal` the end of the process. Default: `full`.
   * Source: sqlite.org/pragma.html#pragma_synchronous.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /** The clock, in ms since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * Opens a store of logs in one SQLite file. Only one store at a time may have it open.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`path`), `store-locked`, `store-corrupt`, `store-schema`,
 * `store-readonly`, `store-full`, `store-unavailable`.
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<LogStore> {
  const { synchronous = "full", logger = silentLogger, now = Date.now } = options;
  const path = await locateLog(options.path);
  const driver = await loadDriver();
  const lock = lockLog(driver, path);
  const logs = new Map<number, SqliteLog>();
  const events: WriterEvents = {
    onTrimmed: (stream, earliest, bytes) => logs.get(stream)?.trimmed(earliest, bytes),
    onReopened: (row) => logs.get(row.id)?.update(row),
  };
  const writer = createWriterClient({ path, synchronous }, events, logger);
  try {
    await writer.start();
    // Not before it is known to be a log: the file may be somebody else's.
    keepFromOthers(path, logger);
    return serveLogs({ path, writer, snapshots: openSnapshots(driver, path), now, logger }, logs, lock);
  } catch (error) {
    await writer.close();
    lock.close();
    throw storeError(error, path);
  }
}

function keepFromOthers(path: string, logger: Logger): void {
  try {
    const files = closeToOthers(path);
    if (files.length > 0) logger.warn({ files }, "everybody could read these files: now only their owner can");
  } catch (err) {
    logger.warn({ path, err }, "everybody can read the files of the log, and their modes cannot be changed");
  }
}

/** The store over an open database. */
function serveLogs(dependencies: SqliteLogDependencies, logs: Map<number, SqliteLog>, lock: SqliteDatabase): LogStore {
  const { path, writer, snapshots, now, logger } = dependencies;
  let closing: Promise<void> | undefined;

  async function open(stream: string, { retention }: LogOptions): Promise<Log> {
    if (closing) throw new SpillwayError("store-closed");
    const row = await writer.open(stream, retention);
    const log = logs.get(row.id) ?? new SqliteLog(stream, row, dependencies);
    logs.set(row.id, log);
    log.update(row);
    return log;
  }

  let trimming = false;
  let failing = false;
  async function trim(): Promise<void> {
    if (trimming || logs.size === 0) return;
    trimming = true;
    try {
      await writer.trim(undefined, now());
      failing = false;
    } catch (err) {
      // A full disk stays full for a while: said once, tried again and again.
      if (!failing && !closing) logger.warn({ path, err }, "retention cannot be applied");
      failing = true;
    }
    trimming = false;
  }
  const timer = setInterval(() => void trim(), trimInterval);
  timer.unref();

  async function close(): Promise<void> {
    clearInterval(timer);
    for (const log of logs.values()) log.close();
    // Before the writer's: the last connection to close also folds the write-ahead log into the file.
    snapshots.close();
    await writer.close();
    lock.close();
  }

  return { kind: "sqlite", open, close: () => (closing ??= close()) };
}

import { type Logger, silentLogger } from "../../util/logger.ts";
import type { OpenLog, StoreDriver } from "../engine/driver.ts";
import { createEngineStore } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import { loadDriver, type SqliteDatabase } from "./driver.ts";
import { storeError } from "./failure.ts";
import { locateLog } from "./location.ts";
import { lockLog } from "./lock.ts";
import { closeToOthers } from "./private-files.ts";
import { SqliteLogDriver, toStoreError } from "./log-driver.ts";
import type { StreamRow } from "./messages.ts";
import { openSnapshots, type Snapshots } from "./snapshots.ts";
import { decodeText } from "./text.ts";
import { selectNames } from "./queries.ts";
import { createWriterClient, type WriterClient } from "./writer-client.ts";

export interface SqliteStoreOptions {
  /** The database file, relative to the working directory. The file is created on first use, but not its folder. */
  readonly path: string;
  /**
   * What a resolved append survives: `full` a power cut, `normal` only the end of the process. Default: `full`.
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
  const logs = new Map<number, OpenLog>();
  const onReopened = (row: StreamRow): void => {
    const log = logs.get(row.id);
    log?.observe({ ...row, revision: log.known.revision + 1 });
  };
  const writer = createWriterClient({ path, synchronous }, onReopened, logger);
  try {
    await writer.start();
    // Only once the file is known to be a log, because it may belong to another application.
    keepFromOthers(path, logger);
    const storeDriver = createStoreDriver({ path, writer, snapshots: openSnapshots(driver, path), lock, logs });
    return createEngineStore(storeDriver, { node: "", now, logger });
  } catch (error) {
    await writer.close();
    lock.close();
    throw storeError(error, path);
  }
}

function keepFromOthers(path: string, logger: Logger): void {
  try {
    const files = closeToOthers(path);
    if (files.length > 0)
      logger.warn({ files }, "these files were accessible to all users; now only their owner can access them");
  } catch (err) {
    logger.warn({ path, err }, "the files of the log are accessible to all users, and their modes cannot be changed");
  }
}

/** The parts of a store's driver. */
interface SqliteStoreParts {
  readonly path: string;
  readonly writer: WriterClient;
  readonly snapshots: Snapshots;
  readonly lock: SqliteDatabase;
  /** The open logs, by the id of their stream. */
  readonly logs: Map<number, OpenLog>;
}

/** The driver over an open database. */
function createStoreDriver({ path, writer, snapshots, lock, logs }: SqliteStoreParts): StoreDriver {
  function names(): string[] {
    const rows = snapshots.read((statement) => statement(selectNames).all());
    return rows.map(({ name }) => decodeText(name));
  }

  return {
    kind: "sqlite",
    async open(stream) {
      const row = await writer.open(stream);
      return {
        state: { ...row, revision: logs.get(row.id)?.known.revision ?? 0 },
        createDriver(log) {
          logs.set(row.id, log);
          const onClosed = (): void => void logs.delete(row.id);
          return new SqliteLogDriver({ log, id: row.id, writer, snapshots, path, onClosed });
        },
      };
    },
    removal: {
      list: async (prefix) => names().filter((name) => name.startsWith(prefix)),
      has: async (stream) => names().includes(stream),
      async remove(stream, unchanged) {
        // Otherwise the writer would make it.
        if (unchanged && !names().includes(stream)) return true;
        return writer.remove(stream, unchanged);
      },
    },
    prune: writer.prune,
    storeError: (error) => toStoreError(error, path),
    async close() {
      // Before the writer's connection: closing the last connection also checkpoints the write-ahead log.
      snapshots.close();
      await writer.close();
      lock.close();
    },
  };
}

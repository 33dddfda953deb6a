import { type Logger, silentLogger } from "../../util/logger.ts";
import type { StoreDriver } from "../engine/driver.ts";
import { createOutage } from "../engine/outage.ts";
import { createEngineStore, type EngineStoreOptions } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import type { Connection } from "./connection.ts";
import { createConnections, type Connections } from "./connections.ts";
import { loadDriver } from "./driver.ts";
import { isMissingTable, storeError } from "./failure.ts";
import { startFollower } from "./follower.ts";
import { createRemoval } from "./removal.ts";
import { createLeases } from "./leases.ts";
import { type Location, readLocation } from "./location.ts";
import { MysqlLogDriver, type MysqlLogDependencies } from "./log-driver.ts";
import { prepareSchema } from "./schema.ts";
import type { Escape } from "./statements.ts";
import { openStream, type StreamRow } from "./streams.ts";
import { nameTables } from "./tables.ts";
import { prune } from "./trimming.ts";

export interface MysqlStoreOptions extends EngineStoreOptions {
  /**
   * The database, which must exist: `mysql://user:password@host:3306/database`, or the same with `mariadb:`. Parameters: `prefix` (of
   * the names of the tables, default `spillway_`), `max` (connections for reading, at most; default 4), `ssl-mode` (`disabled`, the
   * default, `required` or `verify_identity`), `ssl-ca` (a file of certificates in PEM).
   */
  readonly url: string;
  /**
   * Further options for `createConnection` of `mysql2`, such as `ssl: { ca }` or `authPlugins`. What the URL sets, and the timeouts that the store
   * depends on, win over them. Default: none.
   */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
}

/** Connections for writing, and for following and coordination, at most. */
const maxWriters = 4;
const maxControl = 2;

/** Enough for events of 1 MiB, with room to spare. */
const smallPacket = 4 * 1024 * 1024;

/**
 * Opens a store of logs in a MySQL or MariaDB database, which any number of nodes may share.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-schema`, `store-locked`, `store-readonly`,
 * `store-corrupt`, `store-unavailable`.
 */
export async function createMysqlStore(options: MysqlStoreOptions): Promise<LogStore> {
  const { node, logger = silentLogger } = options;
  const location = readLocation(options.url);
  const driver = await loadDriver();
  const { client } = options;
  const connect = (max: number): Connections => createConnections({ driver, location, client }, max);
  const control = connect(maxControl);
  try {
    await control.lend(async (connection) => {
      await prepareSchema(connection, location, false);
      await checkSettings(connection, location.name, logger);
    });
  } catch (error) {
    control.close();
    throw storeError(error, location.name);
  }
  const connections = { control, readers: connect(location.max), writers: connect(maxWriters) };
  const storeDriver = createStoreDriver({ ...connections, location, escape: driver.escape, node, logger });
  return createEngineStore(storeDriver, options);
}

/** What the driver of a store is made of. */
interface MysqlStoreParts extends Pick<MysqlLogDependencies, "readers" | "writers" | "control"> {
  readonly location: Location;
  readonly escape: Escape;
  readonly node: string;
  readonly logger: Logger;
}

/** The driver over tables that are prepared. */
function createStoreDriver({ location, escape, node, logger, ...connections }: MysqlStoreParts): StoreDriver {
  const { readers, writers, control } = connections;
  const tables = nameTables(location.prefix);
  const place = location.name;
  const outage = createOutage(logger, { place });
  const follower = startFollower({ connections: control, tables, place, outage });
  const dependencies = { ...connections, tables, escape, place, node, onAppended: follower.stir };

  /** Makes the tables again if they were removed. */
  async function openRow(connection: Connection, stream: string): Promise<StreamRow> {
    try {
      return await openStream(connection, tables, stream);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
    }
    await prepareSchema(connection, location, true);
    return openStream(connection, tables, stream);
  }

  return {
    kind: "mysql",
    async open(stream) {
      const state = await control.lend((connection) => openRow(connection, stream));
      return {
        state,
        createDriver: (log) => new MysqlLogDriver(state.id, log, dependencies),
        follow: (log) => follower.add(state.id, log),
      };
    },
    prune: (keysBefore) => writers.lend((connection) => prune(connection, tables, keysBefore)),
    removal: createRemoval(writers, tables),
    leases: createLeases(control, tables, node),
    connection: outage.connection,
    storeError: (error) => storeError(error, place),
    async close() {
      for (const each of [readers, writers, control]) each.close();
      await follower.close();
    },
  };
}

/** Warns where the server answers before it has written to the disk, and where it takes only small events. */
async function checkSettings(connection: Connection, place: string, logger: Logger): Promise<void> {
  const [row] = await connection.rows(
    "SELECT @@innodb_flush_log_at_trx_commit AS flushed, @@log_bin AS logged, @@sync_binlog AS synced",
  );
  const { flushed, logged, synced } = row ?? {};
  if (Number(flushed) !== 1) {
    const message = "a crash of the server may lose the last second: innodb_flush_log_at_trx_commit is not 1";
    logger.warn({ place, innodb_flush_log_at_trx_commit: flushed }, message);
  }
  if (Number(logged) === 1 && Number(synced) !== 1) {
    logger.warn({ place, sync_binlog: synced }, "a crash of the server may lose the last events: sync_binlog is not 1");
  }
  if (connection.maxPacket < smallPacket) {
    const message = "max_allowed_packet is small: an event takes up to twice its size in a statement";
    logger.warn({ place, max_allowed_packet: connection.maxPacket }, message);
  }
}

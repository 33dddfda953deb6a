import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import type { Log, LogOptions, LogStore } from "../log.ts";
import { createOutage } from "../engine/outage.ts";
import { checkDurability } from "./durability.ts";
import type { Connection } from "./connection.ts";
import { createConnections } from "./connections.ts";
import { createCoordination } from "./coordination.ts";
import { loadDriver } from "./driver.ts";
import { isMissingTable } from "./failure.ts";
import { type Location, readLocation } from "./location.ts";
import { MysqlLog, type MysqlLogDependencies } from "./mysql-log.ts";
import { startRetention } from "./retention.ts";
import { prepareSchema } from "./schema.ts";
import { openStream, type StreamRow } from "./streams.ts";
import { nameTables } from "./tables.ts";
import { startTail } from "./tail.ts";
import { createTrimmer } from "./trimmer.ts";

export interface MysqlStoreOptions {
  /**
   * Where the database is, which must be there: `mysql://user:password@host:3306/database`, or the same with `mariadb:`. Parameters:
   * `prefix` (of the names of the tables, default `spillway_`), `max` (connections for reading, at most; default 4), `ssl-mode`
   * (`disabled`, the default, `required` or `verify_identity`), `ssl-ca` (a file of certificates in PEM).
   */
  readonly url: string;
  /** The name by which other nodes are to know this one; no two have the same. */
  readonly node: string;
  /** The clock, in ms since 1970, that events get their time from; leases go by the server's. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /**
   * Called when the server lost a stream's log, or the end of it: the log that was open refuses everything from then on, and
   * `open` gives the new one. Default: none.
   */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/** Connections for writing, and for the tail and coordination, at most. */
const maxWriters = 4;
const maxControl = 2;

/** How long closing waits for appends, in ms. */
const closePatience = 5_000;

/**
 * Opens a store of logs in a MySQL or MariaDB database, which any number of nodes may have open.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-schema`, `store-locked`, `store-readonly`,
 * `store-unavailable`.
 */
export async function createMysqlStore(options: MysqlStoreOptions): Promise<LogStore> {
  const location = readLocation(options.url);
  const driver = await loadDriver();
  const { logger = silentLogger } = options;
  const connect = (max: number): MysqlLogDependencies["control"] => createConnections(driver, location, max);
  const control = connect(maxControl);
  try {
    await control.ask(async (connection) => {
      await prepareSchema(connection, location, false);
      await checkDurability(connection, location.name, logger);
    });
  } catch (error) {
    control.close();
    throw error;
  }
  const [readers, writers] = [connect(location.max), connect(maxWriters)];
  return serveLogs(options, location, { readers, writers, control, escape: driver.escape });
}

/** The store over its connections. */
function serveLogs(
  { node, now = Date.now, logger = silentLogger, onReset = () => {} }: MysqlStoreOptions,
  location: Location,
  open: Pick<MysqlLogDependencies, "readers" | "writers" | "control" | "escape">,
): LogStore {
  const { readers, writers, control } = open;
  const tables = nameTables(location.prefix);
  const place = location.name;
  const logs = new Map<string, MysqlLog>();
  const trimmer = createTrimmer(writers, tables);
  const outage = createOutage(logger, { place });
  const tail = startTail({ connections: control, tables, place }, () => [...logs.values()], outage);
  const retention = startRetention(trimmer, () => [...logs.values()], now, logger);
  const dependencies: MysqlLogDependencies = {
    ...open,
    tables,
    place,
    node,
    trimmer,
    now,
    logger,
    onAppended: () => tail.stir(),
    onLost,
  };
  let closing: Promise<void> | undefined;

  function onLost(log: MysqlLog): void {
    log.end(
      () => new SpillwayError("store-unavailable", `${place}: the log was lost, and another has taken its place`),
    );
    if (logs.get(log.stream) !== log) return;
    logs.delete(log.stream);
    logger.warn({ place, stream: log.stream }, "the log was lost, and another has taken its place");
    onReset(log.stream);
  }

  /** Makes the tables again if somebody removed them. */
  async function readStream(connection: Connection, stream: string): Promise<StreamRow> {
    try {
      return await openStream(connection, tables, stream);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
      await prepareSchema(connection, location, true);
      return openStream(connection, tables, stream);
    }
  }

  async function openLog(stream: string, options: LogOptions): Promise<Log> {
    if (closing) throw new SpillwayError("store-closed");
    const row = await control.ask((connection) => readStream(connection, stream));
    logs.get(stream)?.observe(row, 0);
    const log = logs.get(stream) ?? new MysqlLog(stream, row, options.retention, dependencies);
    log.retention = options.retention;
    logs.set(stream, log);
    return log;
  }

  async function close(): Promise<void> {
    const retired = retention.stop();
    for (const log of logs.values()) log.end(() => new SpillwayError("store-closed"));
    const patience = new AbortController();
    const idle = Promise.all(Array.from(logs.values(), (log) => log.idle()));
    await Promise.race([idle, delay(closePatience, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
    for (const connections of [readers, writers, control]) connections.abort();
    await Promise.all([idle, tail.stop(), retired]);
  }

  const coordination = createCoordination({
    connections: control,
    tables,
    node,
    onAcquired: (stream, row) => void logs.get(stream)?.observe(row, 0),
  });
  return {
    kind: "mysql",
    coordination,
    connection: outage.connection,
    open: openLog,
    close: () => (closing ??= close()),
  };
}

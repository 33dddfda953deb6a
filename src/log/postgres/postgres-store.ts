import { randomUUID } from "node:crypto";
import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import type { Log, LogOptions, LogStore } from "../log.ts";
import { createOutage } from "../outage.ts";
import { type Connections, connectTimeout, createConnections, queryTimeout } from "./connections.ts";
import { createCoordination } from "./coordination.ts";
import { loadDriver, type PgDriver, type PgSettings } from "./driver.ts";
import { isAbsent, storeError } from "./failure.ts";
import { type Location, readLocation } from "./location.ts";
import { PostgresLog, type PostgresLogDependencies } from "./postgres-log.ts";
import { createQueries } from "./queries.ts";
import { prepareSchema } from "./schema.ts";
import { openStream, type StreamState } from "./streams.ts";
import { startTail } from "./tail.ts";
import { createTrimmer } from "./trimmer.ts";

export interface PostgresStoreOptions {
  /**
   * `postgres://<user>:<password>@<host>/<database>`, with the parameters that `pg` takes (`sslmode`, `sslrootcert`, `application_name`,
   * …) and two of the store's own: `schema`, which holds the tables and is made on first use (default `spillway`), and `max`, the
   * connections for reading, at most (default 4). Beside them a store opens one to follow the streams and at most two for writing.
   *
   * A pooler in between must keep sessions: in PgBouncer, `pool_mode = session`.
   */
  readonly url: string;
  /** The name by which other nodes are to know this one. */
  readonly node: string;
  /** The clock that stamps events and ages them, in ms since 1970. Default: `Date.now`. Leases go by the server's. */
  readonly now?: (() => number) | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /**
   * Called when the log of a stream is no longer the one that was opened: it was lost, or has lost events that were known here. The
   * `Log` refuses every call from then on with `store-unavailable`; `open` gives the one in its place, with another epoch.
   */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/** Connections for writing. Of one stream there is one append at a time. */
const maxWriting = 2;

/** How long `close` waits for appends under way, in ms. */
const closePatience = 10_000;

/**
 * Opens a store of logs in a schema of a PostgreSQL database, which any number of nodes may share.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-schema`, `store-corrupt`, `store-readonly`,
 * `store-unavailable`.
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<LogStore> {
  const location = readLocation(options.url);
  const driver = await loadDriver();
  const settings: PgSettings = {
    connectionString: location.connectionString,
    application_name: "spillway",
    connectionTimeoutMillis: connectTimeout,
    query_timeout: queryTimeout,
    keepAlive: true,
  };
  const writing = createConnections(driver, settings, maxWriting);
  try {
    await prepareSchema(writing, location.schema);
  } catch (error) {
    await writing.close();
    throw storeError(error);
  }
  return serveLogs(options, location, driver, settings, writing);
}

/** The store over a schema that is prepared. */
function serveLogs(
  options: PostgresStoreOptions,
  { schema, max }: Location,
  driver: PgDriver,
  settings: PgSettings,
  writing: Connections,
): LogStore {
  const { node, now = Date.now, logger = silentLogger, onReset } = options;
  const queries = createQueries(schema);
  const reading = createConnections(driver, settings, max);
  const logs = new Map<string, PostgresLog>();
  const outage = createOutage(logger);
  const tail = startTail(driver, settings, schema, queries, outage);
  const trimmer = createTrimmer(writing.run, queries, () => logs.values(), now, logger);
  const dependencies: PostgresLogDependencies = {
    queries,
    read: reading.run,
    write: writing.run,
    now,
    logger,
    wake: tail.wake,
    trim: trimmer.trim,
    onReplaced,
  };
  let closing: Promise<void> | undefined;

  function onReplaced(log: PostgresLog): void {
    const { stream, epoch } = log;
    tail.remove(log);
    if (logs.get(stream) === log) logs.delete(stream);
    logger.error({ stream, epoch }, "the log was lost, or has lost events: another takes its place");
    onReset?.(stream);
  }

  async function openRow(stream: string): Promise<StreamState> {
    try {
      return await openStream(writing.run, queries, stream);
    } catch (error) {
      if (!isAbsent(error)) throw storeError(error);
    }
    try {
      await prepareSchema(writing, schema);
      return await openStream(writing.run, queries, stream);
    } catch (error) {
      throw storeError(error);
    }
  }

  async function open(stream: string, { retention }: LogOptions): Promise<Log> {
    if (closing) throw new SpillwayError("store-closed");
    const row = await openRow(stream);
    if (closing) throw new SpillwayError("store-closed");
    const opened = logs.get(stream);
    if (opened && opened.id === row.id && opened.epoch === row.epoch) {
      opened.retention = retention;
      await opened.reached(row.head);
      return opened;
    }
    opened?.replace();
    const log = new PostgresLog(stream, row, retention, dependencies);
    logs.set(stream, log);
    tail.add(log);
    return log;
  }

  async function close(): Promise<void> {
    trimmer.stop();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, closePatience)));
    await Promise.race([Promise.all(Array.from(logs.values(), (log) => log.close())), patience]);
    clearTimeout(timer);
    await Promise.all([tail.close(), reading.close(), writing.close()]);
  }

  return {
    kind: "postgres",
    coordination: createCoordination(writing.run, queries, { node, store: randomUUID() }, (stream) => logs.get(stream)),
    connection: outage.connection,
    open,
    close: () => (closing ??= close()),
  };
}

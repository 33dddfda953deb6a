import { type Logger, silentLogger } from "../../util/logger.ts";
import type { StoreDriver } from "../engine/driver.ts";
import { createOutage } from "../engine/outage.ts";
import { createEngineStore, type EngineStoreOptions } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import { type Connections, connectTimeout, createConnections, queryTimeout } from "./connections.ts";
import { loadDriver, type PgDriver, type PgSettings } from "./driver.ts";
import { isAbsent, storeError } from "./failure.ts";
import { startFollower } from "./follower.ts";
import { createLeases } from "./leases.ts";
import { type Location, readLocation } from "./location.ts";
import { PostgresLogDriver, type PostgresLogDependencies } from "./log-driver.ts";
import { createQueries } from "./queries.ts";
import { createRemoval } from "./removal.ts";
import { prepareSchema } from "./schema.ts";
import { openStream, type StreamRow } from "./streams.ts";

export interface PostgresStoreOptions extends EngineStoreOptions {
  /**
   * `postgres://<user>:<password>@<host>/<database>`, with the parameters that `pg` takes (`sslmode`, `sslrootcert`, `application_name`,
   * …) and two of the store's own: `schema`, which holds the tables and is made on first use (default `spillway`), and `max`, the
   * connections for reading, at most (default 4). Beside them a store opens one to follow the streams and at most two for writing.
   *
   * A pooler in between must keep sessions: in PgBouncer, `pool_mode = session`.
   */
  readonly url: string;
  /**
   * Further options for the `Client` of `pg`, such as `ssl: { ca }` or `application_name`. What the URL sets, and the timeouts that the store
   * depends on, win over them. Default: none.
   */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
}

/** Connections for writing. Of one stream there is one append at a time. */
const maxWriting = 2;

/** Idempotency keys that one statement removes at most. */
const pruneSize = 1_000;

/**
 * Opens a store of logs in a schema of a PostgreSQL database, which any number of nodes may share.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-schema`, `store-corrupt`, `store-readonly`,
 * `store-unavailable`.
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<LogStore> {
  const { logger = silentLogger } = options;
  const location = readLocation(options.url);
  const driver = await loadDriver();
  const settings: PgSettings = {
    application_name: "spillway",
    ...options.client,
    connectionString: location.connectionString,
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
  const storeDriver = createStoreDriver({ location, driver, settings, writing, node: options.node, logger });
  return createEngineStore(storeDriver, options);
}

/** What the driver of a store is made of. */
interface PostgresStoreParts {
  readonly location: Location;
  readonly driver: PgDriver;
  readonly settings: PgSettings;
  readonly writing: Connections;
  readonly node: string;
  readonly logger: Logger;
}

/** The driver over a schema that is prepared. */
function createStoreDriver({ location, driver, settings, writing, node, logger }: PostgresStoreParts): StoreDriver {
  const { schema, max } = location;
  const queries = createQueries(schema);
  const reading = createConnections(driver, settings, max);
  const outage = createOutage(logger);
  const follower = startFollower(driver, settings, schema, queries, outage);
  const dependencies: PostgresLogDependencies = {
    queries,
    read: reading.run,
    write: writing.run,
    follow: follower.run,
  };

  async function openRow(stream: string): Promise<StreamRow> {
    try {
      return await openStream(writing.run, queries, stream);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await prepareSchema(writing, schema);
    return openStream(writing.run, queries, stream);
  }

  return {
    kind: "postgres",
    async open(stream) {
      const state = await openRow(stream);
      return {
        state,
        createDriver: (log) => new PostgresLogDriver(state.id, log, dependencies),
        follow: (log) => follower.add(state.id, log),
      };
    },
    async prune(keysBefore) {
      for (const statement of queries.prune(keysBefore, pruneSize)) await writing.run(statement);
    },
    removal: createRemoval(writing, schema),
    leases: createLeases(writing.run, schema, node),
    connection: outage.connection,
    storeError,
    async close() {
      await Promise.all([follower.close(), reading.close(), writing.close()]);
    },
  };
}

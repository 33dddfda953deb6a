import { silentLogger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import type { StoreDriver } from "../engine/driver.ts";
import { createEngineStore, type EngineStoreOptions } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import { createClock } from "./clock.ts";
import { connect, type Connection } from "./connection.ts";
import { loadDriver } from "./driver.ts";
import { storeError } from "./failure.ts";
import { findOrMakeLog } from "./genesis.ts";
import { stateOf } from "./head.ts";
import { createLeaseDriver, type FencedLogs, notOpenError } from "./lease-driver.ts";
import { type NatsLocation, parseLocation } from "./location.ts";
import { NatsLogDriver, type NatsLogDependencies } from "./log-driver.ts";
import { createQueries, type Queries } from "./queries.ts";
import { createRemoval } from "./removal.ts";
import { nodeNames, nodesConfig } from "./schema.ts";

export interface NatsStoreOptions extends EngineStoreOptions {
  /**
   * `nats://[user:password@]host:port[,host:port…]`, or `tls://` for an encrypted connection. Parameters, with
   * defaults: `prefix` of all names in NATS (`spillway`), `replicas` of each JetStream stream (1), `storage` (`file`),
   * and the paths of files `creds`, `ca`, `cert` and `key`.
   */
  readonly url: string;
  /**
   * Further options for `connect` of `@nats-io/transport-node`, such as `tls: { ca }` or `authenticator`. What the URL
   * sets, and the timeouts that the store depends on, win over them. Default: none.
   */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Opens a store of logs in NATS JetStream (server 2.9 or later). Any number of nodes may have it open at once.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-unavailable`.
 */
export async function createNatsStore(options: NatsStoreOptions): Promise<LogStore> {
  const { logger = silentLogger } = options;
  const driver = await loadDriver();
  const location = await parseLocation(options.url, driver);
  const connection = await connect(driver, location, { name: `spillway ${options.node}`, ...options.client }, logger);
  const queries = createQueries(connection);
  try {
    await queries.create(nodesConfig(location));
    return createEngineStore(createStoreDriver(location, connection, queries, options), options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Makes the driver of a store over an open connection. */
function createStoreDriver(
  location: NatsLocation,
  connection: Connection,
  queries: Queries,
  { node, now = Date.now }: NatsStoreOptions,
): StoreDriver {
  const logs = new Map<string, NatsLogDriver>();
  /** The latest fences of logs that NATS has lost: fences in the new logs must be greater. */
  const fences = new Map<string, number>();
  /** The ends of logs that were closed. */
  const ending = new Set<Promise<void>>();
  const names = nodeNames(location.prefix);
  const clock = createClock(queries, names, node);

  function forget(driver: NatsLogDriver): void {
    const { stream, fence } = driver;
    fences.set(stream, Math.max(fence, fences.get(stream) ?? 0));
    if (logs.get(stream) === driver) logs.delete(stream);
  }

  const dependencies: NatsLogDependencies = {
    connection,
    queries,
    now,
    serverTime: () => clock.now(),
    onReplaced: forget,
    onClosed(driver) {
      if (logs.get(driver.stream) === driver) logs.delete(driver.stream);
      const ended = driver.ended().finally(() => ending.delete(ended));
      ending.add(ended);
    },
  };
  const fencedLogs: FencedLogs = {
    fenceOf: (stream) => Math.max(logs.get(stream)?.fence ?? 0, fences.get(stream) ?? 0),
    async raise(stream, fence) {
      const driver = logs.get(stream);
      if (!driver) throw notOpenError(stream);
      return (await driver.raise(fence)) ? driver.state : undefined;
    },
  };
  const self = { node, owner: newEpoch() };
  const repair = (): Promise<void> => queries.create(nodesConfig(location));

  return {
    kind: "nats",
    async open(stream) {
      const found = await findOrMakeLog(queries, location, stream);
      return {
        state: stateOf({ seq: found.seq, standing: found.record }),
        createDriver(log) {
          const before = logs.get(stream);
          if (before) forget(before);
          const driver = new NatsLogDriver(found, log, dependencies);
          logs.set(stream, driver);
          return driver;
        },
        follow: () => logs.get(stream)!.follow(),
      };
    },
    async prune() {
      for (const driver of logs.values()) await driver.purge();
    },
    removal: createRemoval(queries, location.prefix),
    leases: createLeaseDriver(queries, names, clock, fencedLogs, self, repair),
    connection: connection.outage.connection,
    storeError,
    async close() {
      await connection.close();
      await Promise.all([...ending, ...Array.from(logs.values(), (driver) => driver.ended())]);
    },
  };
}

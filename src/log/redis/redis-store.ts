import { SpillwayError } from "../../errors.ts";
import { silentLogger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import type { StoreDriver, StoredState } from "../engine/driver.ts";
import { createOutage, type Outage } from "../engine/outage.ts";
import { createEngineStore, type EngineStoreOptions } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import { loadDriver, type Reply } from "./driver.ts";
import { storeError } from "./failure.ts";
import { forgetOldKeys } from "./idempotency-keys.ts";
import { createLeases } from "./leases.ts";
import { type Location, locateStore } from "./location.ts";
import { RedisLogDriver } from "./log-driver.ts";
import { createLogScripts } from "./log-scripts.ts";
import { createRemoval } from "./removal.ts";
import { createRoute } from "./route.ts";
import { format, keysOf, toState } from "./schema.ts";
import { evaluate } from "./script.ts";
import { openScript } from "./scripts.ts";
import { openServer, type Server } from "./server.ts";
import { connectServers, type Servers } from "./servers.ts";

export interface RedisStoreOptions extends EngineStoreOptions {
  /**
   * `redis://[[user]:password@]host[:port][/database]`; `rediss:` for TLS. `redis-sentinel://` with the Sentinels' addresses, separated
   * by commas; `redis-cluster://` with some of the Cluster's. Query: `prefix`, what all keys begin with (default: `spillway`); `wait`,
   * how many replicas must have an append before it resolves (default: 0); `group`, what the Sentinels call the servers (default:
   * `mymaster`).
   */
  readonly url: string;
  /**
   * Options for `createClient` of `@redis/client`, over those that follow from the URL, such as `socket: { ca }`; those for Sentinels
   * in `sentinel`. Default: none.
   */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Opens a store of logs in Redis (6.2 or later) or Valkey, which any number of nodes may have open. What a resolved append survives
 * is up to the server's settings: its end only with `appendonly yes`, a power cut with `appendfsync always` besides.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-unavailable`.
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<LogStore> {
  const location = locateStore(options.url);
  const driver = await loadDriver();
  const { client = {}, node, logger = silentLogger } = options;
  const { place } = location;
  const outage = createOutage(logger, { place });
  const connect = (key: string): Promise<Server> =>
    openServer(createRoute({ driver, location, node, client, key }), place, outage, logger);
  try {
    const servers = await connectServers(location, connect);
    return createEngineStore(createStoreDriver(options, location, servers, outage), options);
  } catch (error) {
    throw storeError(error, place);
  }
}

/** The driver over servers that are connected. */
function createStoreDriver(
  { node, now = Date.now }: RedisStoreOptions,
  { prefix, place, wait }: Location,
  servers: Servers,
  outage: Outage,
): StoreDriver {
  return {
    kind: "redis",
    async open(stream) {
      const server = await servers.of(stream);
      const state = await openState(server, prefix, stream);
      const scripts = createLogScripts(prefix, stream, state.epoch);
      return {
        state,
        createDriver: (log) => new RedisLogDriver({ log, scripts, server, place, wait, now }),
        follow: (log) => server.follow({ log, scripts }),
      };
    },
    async prune(keysBefore) {
      for (const { writer, followed } of await servers.connected())
        for (const log of followed) await forgetOldKeys(writer, log, keysBefore);
    },
    removal: createRemoval(prefix, servers),
    leases: createLeases({ node, prefix, writerOf: async (stream) => (await servers.of(stream)).writer }),
    connection: outage.connection,
    storeError: (error) => storeError(error, place),
    close: () => servers.close(),
  };
}

/** Reads a log's state, making the log if there is none. */
async function openState({ writer }: Server, prefix: string, stream: string): Promise<StoredState> {
  const { meta, ids, keys, ages, senders, places } = keysOf(prefix, stream);
  const reply = await evaluate(writer, openScript, [meta, ids, keys, ages, senders, places], [newEpoch()]);
  const [state, version] = reply as readonly Reply[];
  if (Number(version) > format) throw new SpillwayError("store-schema");
  return toState(state!)!;
}

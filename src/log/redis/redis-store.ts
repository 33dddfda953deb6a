import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import type { Log, LogOptions, LogStore } from "../log.ts";
import { createOutage, type Outage } from "../engine/outage.ts";
import { createCoordination } from "./coordination.ts";
import { loadDriver } from "./driver.ts";
import { storeError } from "./failure.ts";
import { type Location, locateStore } from "./location.ts";
import { createLogs } from "./logs.ts";
import { createRoute } from "./route.ts";
import { openServer, type Server } from "./server.ts";
import { connectServers, type Servers } from "./servers.ts";

/** How often retention is applied and the log is looked at, in ms. */
const tickInterval = 1_000;

export interface RedisStoreOptions {
  /**
   * `redis://[[user]:password@]host[:port][/database]`; `rediss:` for TLS. `redis-sentinel://` with the Sentinels' addresses, separated
   * by commas; `redis-cluster://` with some of the Cluster's. Query: `prefix`, what all keys begin with (default: `spillway`); `wait`,
   * how many replicas must have an append before it resolves (default: 0); `group`, what the Sentinels call the servers (default:
   * `mymaster`).
   */
  readonly url: string;
  /** The name by which other nodes know this one. */
  readonly node: string;
  /**
   * Options for `createClient` of `@redis/client`, over those that follow from the URL, such as `socket: { ca }`; those for Sentinels
   * in `sentinel`. Default: none.
   */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The server has lost the log of a stream, or the end of it: the log that was opened refuses everything from now on, and opening the
   * stream again gives the one that has taken its place, with another epoch. Called once per log. Default: nobody is told.
   */
  readonly onReset?: ((stream: string) => void) | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /** The clock that stamps events and by which they age, in ms since 1970. Leases go by the server's. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
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
    return serveLogs(options, location, await connectServers(location, connect), outage);
  } catch (error) {
    throw storeError(error, place);
  }
}

/** The store over its servers. */
function serveLogs(options: RedisStoreOptions, location: Location, servers: Servers, outage: Outage): LogStore {
  const { node } = options;
  const { prefix, place } = location;
  const logs = createLogs(options, location);
  let closing: Promise<void> | undefined;

  async function serverOf(stream: string): Promise<Server> {
    if (closing) throw new SpillwayError("store-closed");
    return servers.of(stream);
  }

  async function open(stream: string, opening: LogOptions): Promise<Log> {
    try {
      const server = await serverOf(stream);
      const snapshot = await logs.prepare(stream, server);
      if (closing) throw new SpillwayError("store-closed");
      return logs.open(stream, snapshot, opening, server);
    } catch (error) {
      throw storeError(error, place);
    }
  }

  const timer = setInterval(() => logs.tick(), tickInterval);
  timer.unref();

  async function close(): Promise<void> {
    clearInterval(timer);
    await logs.close();
    await servers.close();
  }

  const coordination = createCoordination({
    node,
    prefix,
    place,
    writerOf: async (stream) => (await serverOf(stream)).writer,
    onAcquired: (stream, snapshot) => logs.get(stream)?.update(snapshot),
  });

  return { kind: "redis", coordination, connection: outage.connection, open, close: () => (closing ??= close()) };
}

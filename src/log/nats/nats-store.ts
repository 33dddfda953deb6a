import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import type { Log, LogOptions, LogStore, Retention } from "../log.ts";
import { createClock } from "./clock.ts";
import { connect, type Connection } from "./connection.ts";
import { createCoordination, notOpenError } from "./coordination.ts";
import { loadDriver } from "./driver.ts";
import { findOrMakeLog } from "./genesis.ts";
import { type NatsLocation, parseLocation } from "./location.ts";
import { NatsLog } from "./nats-log.ts";
import { createQueries, type Queries } from "./queries.ts";
import { nodeNames, nodesConfig } from "./schema.ts";

/** How often retention is applied, in ms. */
const trimInterval = 1_000;

/** How long closing waits for the appends under way, in ms. */
const closePatience = 3_000;

export interface NatsStoreOptions {
  /**
   * `nats://[user:password@]host:port[,host:port…]`, or `tls://` for an encrypted connection. Parameters: `prefix` of all names in
   * NATS (`spillway`), `replicas` of each JetStream stream (1), `storage` (`file`), `creds`, `ca`, `cert` and `key` (paths of files).
   */
  readonly url: string;
  /** The name of this node among those that share the log. */
  readonly node: string;
  /** The clock, in ms since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /** Called when NATS has lost events of a stream: the log that was open refuses everything, and `open` gives the new one. */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/**
 * Opens a store of logs in NATS JetStream (server 2.9 or later). Any number of nodes may have it open.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`store`), `store-unavailable`.
 */
export async function createNatsStore(options: NatsStoreOptions): Promise<LogStore> {
  const { logger = silentLogger } = options;
  const driver = await loadDriver();
  const location = await parseLocation(options.url, driver);
  const connection = await connect(driver, location, options.node, logger);
  const queries = createQueries(connection);
  try {
    await queries.create(nodesConfig(location));
    return serveLogs(location, connection, queries, options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The store over an open connection. */
function serveLogs(
  location: NatsLocation,
  connection: Connection,
  queries: Queries,
  { node, now = Date.now, logger = silentLogger, onReset }: NatsStoreOptions,
): LogStore {
  const logs = new Map<string, NatsLog>();
  /** The latest fences of logs that NATS has lost: those of the new ones are to be greater. */
  const fences = new Map<string, number>();
  const openings = new Map<string, Promise<NatsLog>>();
  const names = nodeNames(location.prefix);
  const clock = createClock(queries, names, node);
  let closing: Promise<void> | undefined;

  function onReplaced(log: NatsLog): void {
    logs.delete(log.stream);
    fences.set(log.stream, Math.max(log.fence, fences.get(log.stream) ?? 0));
    void log.close();
    logger.warn({ stream: log.stream }, "NATS has lost events: the log begins anew");
    onReset?.(log.stream);
  }

  async function openAnew(stream: string, retention: Retention): Promise<NatsLog> {
    const found = await findOrMakeLog(queries, location, stream);
    if (closing) throw new SpillwayError("store-closed");
    const dependencies = { connection, queries, now, serverTime: () => clock.now(), logger, onReplaced };
    const log = new NatsLog(stream, found, retention, dependencies);
    logs.set(stream, log);
    return log;
  }

  async function open(stream: string, { retention }: LogOptions): Promise<Log> {
    if (closing) throw new SpillwayError("store-closed");
    let log = logs.get(stream);
    if (!log) {
      const opening = openings.get(stream) ?? openAnew(stream, retention).finally(() => void openings.delete(stream));
      openings.set(stream, opening);
      log = await opening;
    }
    log.retention = retention;
    return log;
  }

  let trimming = false;
  let failures = 0;
  async function trim(): Promise<void> {
    if (trimming) return;
    trimming = true;
    const results = await Promise.allSettled(Array.from(logs.values(), (log) => log.trim()));
    const failed = results.find((result) => result.status === "rejected");
    failures = failed ? failures + 1 : 0;
    // A connection that was lost is there again at the next try, mostly.
    if (failed && failures === 2 && !closing)
      logger.warn({ err: failed.reason as unknown }, "retention cannot be applied");
    trimming = false;
  }
  const timer = setInterval(() => void trim(), trimInterval);
  timer.unref();

  async function close(): Promise<void> {
    clearInterval(timer);
    const all = Array.from(logs.values());
    await Promise.race([Promise.all(all.map((log) => log.finish())), delay(closePatience, undefined, { ref: false })]);
    // The tails end with the connection at the latest.
    const closed = all.map((log) => log.close());
    await connection.close();
    await Promise.all(closed);
  }

  const fencedLogs = {
    fenceOf: (stream: string) => Math.max(logs.get(stream)?.fence ?? 0, fences.get(stream) ?? 0),
    async raise(stream: string, fence: number) {
      const log = logs.get(stream);
      if (!log) throw notOpenError(stream);
      return log.raise(fence);
    },
  };
  const self = { node, owner: newEpoch() };
  const repair = (): Promise<void> => queries.create(nodesConfig(location));
  const coordination = createCoordination(queries, names, clock, fencedLogs, self, repair);
  return {
    kind: "nats",
    coordination,
    connection: connection.outage.connection,
    open,
    close: () => (closing ??= close()),
  };
}

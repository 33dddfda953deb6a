import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import { pause } from "../../util/pause.ts";
import type { Log, LogOptions, LogRemoval, LogStore } from "../log.ts";
import { createCoordination } from "./coordination.ts";
import type { DriverRemoval, StoreDriver } from "./driver.ts";
import { EngineLog } from "./engine-log.ts";
import { startRetention } from "./retention.ts";

/** What all stores take, beside their URL. */
export interface EngineStoreOptions {
  /** The name by which other nodes know this one. */
  readonly node: string;
  /** The clock that stamps events and ages them, in ms since 1970. Default: `Date.now`. Leases are measured by the store's clock. */
  readonly now?: (() => number) | undefined;
  /** Default: no logging. */
  readonly logger?: Logger | undefined;
  /**
   * Called when the log of a stream is no longer the one that was opened: the store lost it, or events of it that were known here. The
   * `Log` refuses every call from then on with `store-unavailable`; `open` gives the one in its place, with another epoch.
   */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/** How long `close` waits for appends under way, in ms. */
const closeTimeout = 5_000;

/** Makes a store over a driver, which it closes. */
export function createEngineStore(driver: StoreDriver, options: EngineStoreOptions): LogStore {
  const { node, now = Date.now, logger = silentLogger, onReset } = options;
  const logs = new Map<string, EngineLog>();
  const retention = startRetention(driver, () => logs.values(), now, logger);
  let closing: Promise<void> | undefined;

  async function ask<T>(call: () => Promise<T>): Promise<T> {
    if (closing) throw new SpillwayError("store-closed");
    try {
      return await call();
    } catch (error) {
      throw driver.storeError(error);
    }
  }

  function onReplaced(log: EngineLog): void {
    const { stream, epoch } = log;
    if (logs.get(stream) === log) logs.delete(stream);
    logger.error({ stream, epoch }, "the store has lost the log, or events of it: another log takes its place");
    // In a microtask: the caller that found out is answered first.
    queueMicrotask(() => onReset?.(stream));
  }

  async function open(stream: string, opening: LogOptions): Promise<Log> {
    const opened = await ask(() => driver.open(stream));
    if (closing) throw new SpillwayError("store-closed");
    logs.get(stream)?.observe(opened.state);
    const log = logs.get(stream) ?? new EngineLog(stream, opened, opening.retention, { now, logger, onReplaced });
    log.retention = opening.retention;
    logs.set(stream, log);
    return log;
  }

  async function closeLog(stream: string): Promise<void> {
    const log = logs.get(stream);
    logs.delete(stream);
    await log?.close();
    await log?.driver.close?.();
  }

  const removalOf = ({ list, has, remove }: DriverRemoval): LogRemoval => ({
    list: (prefix) => ask(() => list(prefix)),
    has: (stream) => ask(() => has(stream)),
    close: (stream) => ask(() => closeLog(stream)),
    remove: (stream, unchanged) =>
      ask(async () => {
        await closeLog(stream);
        return remove(stream, unchanged);
      }),
  });

  async function close(): Promise<void> {
    retention.stop();
    const inTime = new AbortController();
    const closed = Promise.all(Array.from(logs.values(), (log) => log.close()));
    await Promise.race([closed, pause(closeTimeout, inTime.signal)]);
    inTime.abort();
    await Promise.allSettled(Array.from(logs.values(), async (log) => log.driver.close?.()));
    await driver.close();
    await closed;
  }

  const { kind, leases, connection, removal } = driver;
  return {
    kind,
    ...(leases && { coordination: createCoordination({ leases, node, logOf: (stream) => logs.get(stream), ask }) }),
    ...(connection && { connection }),
    ...(removal && { removal: removalOf(removal) }),
    open,
    close: () => (closing ??= close()),
  };
}

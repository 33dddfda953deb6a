import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import { newEpoch } from "../cursor.ts";
import type { LogOptions } from "../log.ts";
import type { Reply } from "./driver.ts";
import type { Location } from "./location.ts";
import { RedisLog } from "./redis-log.ts";
import { format, keysOf, type Snapshot, toSnapshot } from "./schema.ts";
import { evaluate } from "./script.ts";
import { openScript } from "./scripts.ts";
import type { Server } from "./server.ts";

/** The logs of a store that are open. */
export interface Logs {
  get(stream: string): RedisLog | undefined;
  /**
   * Makes the log of a stream on its server if there is none, and resolves to where it stands.
   * @throws {SpillwayError} `store-schema`; the errors of the connection.
   */
  prepare(stream: string, server: Server): Promise<Snapshot>;
  /** The log that stands there: the one that is open, or another one if that was lost. */
  open(stream: string, snapshot: Snapshot, opening: LogOptions, server: Server): RedisLog;
  /** Applies retention, and ends what has waited for too long. */
  tick(): void;
  /** Waits for what is being appended, for a few seconds at most, then lets go of the logs. */
  close(): Promise<void>;
}

/** What logs take of the options of their store. */
export interface LogsOptions {
  readonly onReset?: ((stream: string) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly now?: (() => number) | undefined;
}

/** How long closing waits for appends that have no answer, in ms. */
const closePatience = 5_000;

/** Makes the logs of a store, none open yet. */
export function createLogs(options: LogsOptions, { prefix, place, wait }: Location): Logs {
  const { onReset, logger = silentLogger, now = Date.now } = options;
  const logs = new Map<string, { readonly log: RedisLog; readonly server: Server }>();
  let trimming = false;

  function create(stream: string, snapshot: Snapshot, { retention }: LogOptions, server: Server): RedisLog {
    const { writer, reader } = server;
    const onLost = (lost: RedisLog): void => {
      server.remove(lost);
      if (logs.get(stream)?.log === lost) logs.delete(stream);
      logger.warn({ stream, place, epoch: lost.epoch }, "the server has lost events of the log: a new one begins");
      queueMicrotask(() => onReset?.(stream));
    };
    const dependencies = { writer, reader, prefix, keys: keysOf(prefix, stream), place, wait, now, logger, onLost };
    const log = new RedisLog(stream, snapshot, retention, dependencies);
    logs.set(stream, { log, server });
    server.add(log);
    return log;
  }

  async function trim(): Promise<void> {
    if (trimming) return;
    trimming = true;
    // While the server is away its connections say so.
    await Promise.allSettled(Array.from(logs.values(), ({ log }) => log.keep()));
    trimming = false;
  }

  async function end(log: RedisLog, { writer }: Server): Promise<void> {
    await log.idle(closePatience);
    log.abort();
    // If it cannot be told now, the server forgets the log's appender by itself, later.
    await log.leave(writer).catch(() => {});
  }

  return {
    get: (stream) => logs.get(stream)?.log,
    async prepare(stream, { writer }) {
      const { meta, ids, keys, ages, senders, places } = keysOf(prefix, stream);
      const reply = await evaluate(writer, openScript, [meta, ids, keys, ages, senders, places], [newEpoch()]);
      const [snapshot, version] = reply as readonly Reply[];
      if (Number(version) > format) throw new SpillwayError("store-schema");
      return toSnapshot(snapshot!)!;
    },
    open(stream, snapshot, opening, server) {
      logs.get(stream)?.log.update(snapshot);
      const log = logs.get(stream)?.log ?? create(stream, snapshot, opening, server);
      log.retention = opening.retention;
      return log;
    },
    tick() {
      for (const { log } of logs.values()) log.expire();
      void trim();
    },
    async close() {
      for (const { log } of logs.values()) log.close();
      await Promise.all(Array.from(logs.values(), ({ log, server }) => end(log, server)));
    },
  };
}

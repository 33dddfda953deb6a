import { SpillwayError } from "../../errors.ts";
import { type Logger, silentLogger } from "../../util/logger.ts";
import type { LogStore } from "../log.ts";
import { MemoryLog } from "./memory-log.ts";

/** How often events are looked at for their age, in ms. Number and size are held at every append. */
const trimInterval = 1_000;

export interface MemoryStoreOptions {
  /** The clock, in ms since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
}

/** Makes a store that lives as long as the process. Each stream gets a new epoch each time. */
export function createMemoryStore(options: MemoryStoreOptions = {}): LogStore {
  const { now = Date.now, logger = silentLogger } = options;
  const logs = new Map<string, MemoryLog>();
  let closed = false;

  const timer = setInterval(() => {
    for (const log of logs.values()) log.removeExpired();
  }, trimInterval);
  timer.unref();

  return {
    kind: "memory",
    async open(stream, { retention }) {
      if (closed) throw new SpillwayError("store-closed");
      const log = logs.get(stream) ?? new MemoryLog(stream, retention, now, logger);
      log.retention = retention;
      logs.set(stream, log);
      return log;
    },
    async close() {
      closed = true;
      clearInterval(timer);
      for (const log of logs.values()) log.close();
      logs.clear();
    },
  };
}

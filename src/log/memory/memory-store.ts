import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { isUnchanged, type StoreDriver } from "../engine/driver.ts";
import { createEngineStore } from "../engine/store.ts";
import type { LogStore } from "../log.ts";
import { MemoryLogDriver } from "./log-driver.ts";

export interface MemoryStoreOptions {
  /** The clock, in ms since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: no logging. */
  readonly logger?: Logger | undefined;
}

/** Makes a store that lives as long as the process. Each stream gets a new epoch each time. */
export function createMemoryStore(options: MemoryStoreOptions = {}): LogStore {
  return createEngineStore(createStoreDriver(), { node: "", ...options });
}

function createStoreDriver(): StoreDriver {
  const logs = new Map<string, MemoryLogDriver>();

  return {
    kind: "memory",
    async open(stream) {
      const driver = logs.get(stream) ?? new MemoryLogDriver();
      logs.set(stream, driver);
      return { state: driver.state, createDriver: (log) => driver.serve(log) };
    },
    removal: {
      list: async (prefix) => [...logs.keys()].filter((stream) => stream.startsWith(prefix)),
      has: async (stream) => logs.has(stream),
      async remove(stream, unchanged) {
        const driver = logs.get(stream);
        if (driver && !isUnchanged(driver.state, unchanged)) return false;
        logs.delete(stream);
        return true;
      },
    },
    async prune() {
      // A log forgets old keys when it looks for one.
    },
    storeError: (error) =>
      error instanceof SpillwayError ? error : new SpillwayError("store-unavailable", String(error)),
    async close() {
      logs.clear();
    },
  };
}

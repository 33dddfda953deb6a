/** The only place that names stores. */
import { SpillwayError } from "../errors.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import type { LogReaders, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

type StoreFactory = (path: string, options: StoreOptions, logger: Logger) => Promise<LogStore>;

/** The part of the options that opening a store takes. */
export type StoreOptions = Pick<GatewayOptions, "store" | "synchronous">;

/** What a store's URL looks like, for error messages. */
export const storeExpected: string = "a store: sqlite:<path> or memory:";

const factories: Readonly<Record<string, StoreFactory>> = {
  async memory() {
    const { createMemoryStore } = await import("../log/memory/index.ts");
    return createMemoryStore();
  },
  async sqlite(path, { synchronous }, logger) {
    const { createSqliteStore } = await import("../log/sqlite/index.ts");
    return createSqliteStore({ path, synchronous, logger });
  },
};

type ReadersFactory = (path: string) => Promise<LogReaders>;

/** The stores whose logs can be read beside the process that writes them. */
const readers: Readonly<Record<string, ReadersFactory>> = {
  async sqlite(path) {
    const { openSqliteReaders } = await import("../log/sqlite/index.ts");
    return openSqliteReaders(path);
  },
};

/** What the URL of a store looks like that {@link openReaders} can read. */
export const shareableExpected: string = "sqlite:<path>";

/** Whether {@link openReaders} can read the store. */
export function isShareable(url: string): boolean {
  return Object.hasOwn(readers, splitStoreUrl(url).scheme);
}

/**
 * Opens the store that the options name for reading, beside the process that has it open for writing.
 * @throws {SpillwayError} what the store throws.
 */
export async function openReaders({ store }: Pick<StoreOptions, "store">): Promise<LogReaders> {
  const { scheme, path } = splitStoreUrl(store);
  return readers[scheme]!(path);
}

/** Whether {@link openStore} knows what to do with the URL. */
export function isStoreUrl(url: string): boolean {
  const { scheme, path } = splitStoreUrl(url);
  return Object.hasOwn(factories, scheme) && (scheme === "memory") === (path === "");
}

/**
 * Opens the store that the options name; its driver is loaded only then.
 * @throws {SpillwayError} `config-invalid` for a URL of no known store, else what the store throws.
 */
export async function openStore(options: StoreOptions, logger: Logger): Promise<LogStore> {
  const { scheme, path } = splitStoreUrl(options.store);
  if (!isStoreUrl(options.store)) {
    const got = `${scheme}:`;
    const details = { field: "store", expected: storeExpected, got };
    throw new SpillwayError("config-invalid", `store: expected ${storeExpected}, got ${got}`, details);
  }
  return factories[scheme]!(path, options, logger);
}

/** `sqlite:./a.db`, `sqlite:/a.db` and `sqlite:///a.db` name a file; the scheme of a text without one is "". */
function splitStoreUrl(url: string): { scheme: string; path: string } {
  const [, scheme = "", path = ""] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(url) ?? [];
  return { scheme: scheme.toLowerCase(), path };
}

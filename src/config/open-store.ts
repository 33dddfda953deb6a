/** Opens stores by their URL. This is the only place that lists them. */
import { SpillwayError } from "../errors.ts";
import type { ClusterOptions, GatewayOptions } from "../gateway/options.ts";
import type { LogReaders, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

type StoreFactory = (path: string, options: StoreOptions, host: StoreHost) => Promise<LogStore>;

/** The options that opening a store requires. */
export type StoreOptions = Pick<GatewayOptions, "store" | "synchronous"> & { readonly cluster?: ClusterOptions };

/** What a store takes from the gateway. */
export interface StoreHost {
  readonly logger: Logger;
  /** Called when a stream's log was lost; reopening the stream gives the new log. Default: not called. */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/** The forms of a store's URL, for error messages. */
export const storeExpected: string = "a store: sqlite:<path>, memory:, postgres://…, mysql://…, redis://… or nats://…";

const factories: Readonly<Record<string, StoreFactory>> = {
  async memory() {
    const { createMemoryStore } = await import("../log/memory/index.ts");
    return createMemoryStore();
  },
  async sqlite(path, { synchronous }, { logger }) {
    const { createSqliteStore } = await import("../log/sqlite/index.ts");
    return createSqliteStore({ path, synchronous, logger });
  },
  ...sharedBy(["postgres", "postgresql"], async (options) => {
    const { createPostgresStore } = await import("../log/postgres/index.ts");
    return createPostgresStore(options);
  }),
  ...sharedBy(["mysql", "mariadb"], async (options) => {
    const { createMysqlStore } = await import("../log/mysql/index.ts");
    return createMysqlStore(options);
  }),
  ...sharedBy(
    ["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"],
    async (options) => {
      const { createRedisStore } = await import("../log/redis/index.ts");
      return createRedisStore(options);
    },
  ),
  ...sharedBy(["nats", "tls"], async (options) => {
    const { createNatsStore } = await import("../log/nats/index.ts");
    return createNatsStore(options);
  }),
};

/** The options of every store that several nodes can share. */
interface SharedStoreOptions extends StoreHost {
  readonly url: string;
  readonly node: string;
}

/** Factories of stores whose URLs are passed on unchanged. */
function sharedBy(
  schemes: readonly string[],
  create: (options: SharedStoreOptions) => Promise<LogStore>,
): Readonly<Record<string, StoreFactory>> {
  const factory: StoreFactory = (_, { store, cluster }, host) =>
    create({ url: store, node: cluster?.node ?? "node", ...host });
  return Object.fromEntries(schemes.map((scheme) => [scheme, factory]));
}

/** Opens a store that lives as long as the process. */
export function openMemoryStore(host: StoreHost): Promise<LogStore> {
  return openStore({ store: "memory:", synchronous: "full" }, host);
}

type ReadersFactory = (path: string) => Promise<LogReaders>;

/** The stores whose logs other processes can read while one process writes. */
const readers: Readonly<Record<string, ReadersFactory>> = {
  async sqlite(path) {
    const { openSqliteReaders } = await import("../log/sqlite/index.ts");
    return openSqliteReaders(path);
  },
};

/** The form of the URL of a store that {@link openReaders} can open. */
export const shareableExpected: string = "sqlite:<path>";

/** Whether {@link openReaders} can open the store. */
export function isShareable(url: string): boolean {
  return Object.hasOwn(readers, splitStoreUrl(url).scheme);
}

/** The readers of a store that only one process can read, which several processes use if there are no streams. */
const noReaders: LogReaders = {
  open: () => {
    throw new SpillwayError("store-unavailable", "only the process that opened the store can read it");
  },
  close() {},
};

/**
 * Opens the store that the options name for reading, while another process has it open for writing.
 * @throws {SpillwayError} what the store throws.
 */
export async function openReaders({ store }: Pick<StoreOptions, "store">): Promise<LogReaders> {
  const { scheme, path } = splitStoreUrl(store);
  return readers[scheme]?.(path) ?? noReaders;
}

/** Whether {@link openStore} can open the URL. */
export function isStoreUrl(url: string): boolean {
  const { scheme, path } = splitStoreUrl(url);
  return Object.hasOwn(factories, scheme) && (scheme === "memory") === (path === "");
}

/**
 * Opens the store that the options name, and loads its driver.
 * @throws {SpillwayError} `config-invalid` for the URL of an unknown store, else what the store throws.
 */
export async function openStore(options: StoreOptions, host: StoreHost): Promise<LogStore> {
  const { scheme, path } = splitStoreUrl(options.store);
  if (!isStoreUrl(options.store)) {
    const got = `${scheme}:`;
    const details = { field: "store", expected: storeExpected, got };
    throw new SpillwayError("config-invalid", `store: expected ${storeExpected}, got ${got}`, details);
  }
  return factories[scheme]!(path, options, host);
}

/** The file of a SQLite store; `undefined` for other stores. */
export function fileOf(url: string): string | undefined {
  const { scheme, path } = splitStoreUrl(url);
  return scheme === "sqlite" ? path : undefined;
}

/** Display name and default port of each engine. */
const engines: Readonly<Record<string, readonly [name: string, port: number]>> = {
  postgres: ["PostgreSQL", 5432],
  postgresql: ["PostgreSQL", 5432],
  mysql: ["MySQL", 3306],
  mariadb: ["MariaDB", 3306],
  nats: ["NATS", 4222],
  tls: ["NATS", 4222],
};

/** The name and servers of the engine in a store's URL; `undefined` for `memory:` and `sqlite:`. */
export function engineOf(url: string): { name: string; servers: { host: string; port: number }[] } | undefined {
  const { scheme, path } = splitStoreUrl(url);
  if (scheme === "memory" || scheme === "sqlite") return undefined;
  const [name, port] = engines[scheme] ?? ["Redis", scheme.endsWith("-sentinel") ? 26_379 : 6379];
  const hosts = path
    .replace(/[/?#].*$/s, "")
    .replace(/^.*@/s, "")
    .split(",")
    .filter(Boolean);
  const servers = hosts.map((host) => {
    const [, bracketed, plain = "", own] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(host) ?? [];
    return { host: bracketed ?? plain, port: Number(own ?? port) };
  });
  return { name, servers };
}

/** `sqlite:./a.db`, `sqlite:/a.db` and `sqlite:///a.db` name a file; the scheme of a text without one is "". */
function splitStoreUrl(url: string): { scheme: string; path: string } {
  const [, scheme = "", path = ""] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(url) ?? [];
  return { scheme: scheme.toLowerCase(), path };
}

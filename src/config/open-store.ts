/** The only place that names stores. */
import { SpillwayError } from "../errors.ts";
import type { ClusterOptions, GatewayOptions } from "../gateway/options.ts";
import type { LogReaders, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

type StoreFactory = (path: string, options: StoreOptions, host: StoreHost) => Promise<LogStore>;

/** The part of the options that opening a store takes. */
export type StoreOptions = Pick<GatewayOptions, "store" | "synchronous"> & { readonly cluster?: ClusterOptions };

/** What a store takes from the program around it. */
export interface StoreHost {
  readonly logger: Logger;
  /** A stream's log was lost; opening the stream again gives the one that has taken its place. Default: nobody is told. */
  readonly onReset?: ((stream: string) => void) | undefined;
}

/** What a store's URL looks like, for error messages. */
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

/** What every store takes that several nodes share. */
interface SharedStoreOptions extends StoreHost {
  readonly url: string;
  readonly node: string;
}

/** Stores whose URLs are passed on as they are. */
function sharedBy(
  schemes: readonly string[],
  create: (options: SharedStoreOptions) => Promise<LogStore>,
): Readonly<Record<string, StoreFactory>> {
  const factory: StoreFactory = (_, { store, cluster }, host) =>
    create({ url: store, node: cluster?.node ?? "node", ...host });
  return Object.fromEntries(schemes.map((scheme) => [scheme, factory]));
}

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
export async function openStore(options: StoreOptions, host: StoreHost): Promise<LogStore> {
  const { scheme, path } = splitStoreUrl(options.store);
  if (!isStoreUrl(options.store)) {
    const got = `${scheme}:`;
    const details = { field: "store", expected: storeExpected, got };
    throw new SpillwayError("config-invalid", `store: expected ${storeExpected}, got ${got}`, details);
  }
  return factories[scheme]!(path, options, host);
}

/** The file of a store that has one. */
export function fileOf(url: string): string | undefined {
  const { scheme, path } = splitStoreUrl(url);
  return scheme === "sqlite" ? path : undefined;
}

/** An engine's name for people, and the port that its servers have by default. */
const engines: Readonly<Record<string, readonly [name: string, port: number]>> = {
  postgres: ["PostgreSQL", 5432],
  postgresql: ["PostgreSQL", 5432],
  mysql: ["MySQL", 3306],
  mariadb: ["MariaDB", 3306],
  nats: ["NATS", 4222],
  tls: ["NATS", 4222],
};

/** The engine that keeps the log elsewhere, and its servers by the URL; `undefined` for a log of this process alone. */
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

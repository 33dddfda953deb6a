import type { ConnectionHooks, Gateway } from "../gateway/gateway.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { startGateway } from "../gateway/start.ts";
import type { LogStore } from "../log/log.ts";
import { silentLogger, type Logger } from "../util/logger.ts";
import { redact } from "../util/redact.ts";
import type { GatewayConfig } from "./config.ts";
import { diagnosticsHost } from "./diagnostics.ts";
import { ConfigError, mismatch, type ConfigIssue } from "./issues.ts";
import { openMemoryStore, openStore } from "./open-store.ts";
import { resolveConfig } from "./resolve.ts";

/**
 * A configuration in code. The store may also be one that the program opens. Nothing is required: without streams, routes
 * and runs, the gateway is there for the runs of the program, see {@link Gateway.run}.
 */
export interface CreateGatewayConfig extends Omit<GatewayConfig, "store"> {
  /**
   * The URL of a store, a function that opens one, or an open store. The gateway closes a store that it opened by a URL
   * or a function; an open store must be closed by its owner. Default: `sqlite:./spillway.db`.
   */
  readonly store?: string | OpenLogStore | LogStore | undefined;
}

/** Opens a store for one gateway. Called once, by `createGateway`. */
export type OpenLogStore = (host: LogStoreHost) => LogStore | Promise<LogStore>;

/**
 * The argument of {@link OpenLogStore}. The factories of `spillway/postgres`, `/mysql`, `/redis` and `/nats` accept it.
 */
export interface LogStoreHost {
  /** The gateway's logger. */
  readonly logger: Logger;
  /** Must be called when the store has lost a stream's log; the gateway then reopens the stream. */
  readonly onReset: (stream: string) => void;
  /** The name of this node, from `cluster.node`. */
  readonly node: string;
}

/** What a gateway takes from the application. */
export interface GatewayRuntime extends ConnectionHooks {
  /** Any pino-compatible logger; `false` for none. Default: prints warnings and errors to stderr as plain lines. */
  readonly logger?: Logger | false | undefined;
  /** Reads the configuration again, for `reload()`. A store that the application opens is kept. Default: no reloads. */
  readonly readConfig?: (() => CreateGatewayConfig | Promise<CreateGatewayConfig>) | undefined;
}

/** Like {@link GatewayRuntime}, for resolved options. */
export interface ResolvedRuntime {
  readonly logger?: Logger | undefined;
  readonly readOptions?: (() => Promise<GatewayOptions>) | undefined;
  readonly hooks?: ConnectionHooks | undefined;
  /** Used instead of the store that the options name. */
  readonly store?: OpenLogStore | LogStore | undefined;
}

/**
 * Makes a gateway: opens its store and starts its upstreams. It does not listen until `listen()` is called.
 * @throws {ConfigError} if the configuration is invalid.
 * @throws {SpillwayError} `store-*` or `driver-missing` if the store cannot be opened.
 */
export async function createGateway(config: CreateGatewayConfig, runtime: GatewayRuntime = {}): Promise<Gateway> {
  const options = resolveInCode(config);
  if (options.workers > 1 || config.workers === "auto") throw new ConfigError([workersIssue(config.workers)]);
  const { readConfig } = runtime;
  const logger = runtime.logger === false ? silentLogger : (runtime.logger ?? plainLogger);
  const readOptions = readConfig && (async (): Promise<GatewayOptions> => resolveInCode(await readConfig()));
  const store = typeof config.store === "string" ? undefined : config.store;
  return openGateway(options, { logger, readOptions, hooks: runtime, store });
}

/* oxlint-disable no-console -- uses the application's console, which it may have replaced */

/** Writes warnings and errors to stderr, one line each: the default if the application passes no logger. */
const plainLogger: Logger = {
  ...silentLogger,
  warn: (fields, message) => console.warn(toLine("warn", fields, message)),
  error: (fields, message) => console.error(toLine("error", fields, message)),
};

/* oxlint-enable no-console */

function toLine(level: string, fields: object, message: string): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${JSON.stringify(value instanceof Error ? value.message : value)}`);
  return redact([`spillway: ${level}: ${message}`, ...pairs].join(" "));
}

/** The `store` option if the application opens the store. */
const programStore = "program:";

function resolveInCode(config: CreateGatewayConfig): GatewayOptions {
  const { store, workers = 1 } = config;
  if (store === undefined || typeof store === "string") return resolveConfig(config);
  if (!isStore(store)) throw new ConfigError([storeIssue(store)]);
  if (workers !== 1) throw new ConfigError([unshareableIssue(workers)]);
  return Object.freeze({ ...resolveConfig({ ...config, store: "memory:" }), store: programStore });
}

function isStore(store: OpenLogStore | LogStore): boolean {
  return typeof store === "function" || (typeof store?.open === "function" && typeof store.close === "function");
}

/** Like {@link createGateway}, from resolved options. */
export async function openGateway(options: GatewayOptions, runtime: ResolvedRuntime = {}): Promise<Gateway> {
  const { logger = silentLogger, readOptions, hooks, store: given } = runtime;
  // If the log of a stream is lost while the gateway starts, this is reported once it has started.
  const early: string[] = [];
  let onReset = (stream: string): void => void early.push(stream);
  const host = { logger, onReset: (stream: string): void => onReset(stream), node: options.cluster.node };
  const keepsStore = typeof given === "object";
  const store = await (given === undefined ? openStore(options, host) : keepsStore ? given : given(host));
  try {
    const onResets = (listener: (stream: string) => void): void => {
      onReset = listener;
      for (const stream of early) listener(stream);
    };
    const openSharedStore = (): Promise<LogStore> => openMemoryStore({ logger });
    const own = { store, openSharedStore, keepsStore, onResets };
    return await startGateway(options, { ...own, logger, readOptions, hooks, ...diagnosticsHost });
  } catch (error) {
    if (!keepsStore)
      await store.close().catch((cause: unknown) => logger.error({ err: cause }, "the store could not be closed"));
    throw error;
  }
}

function storeIssue(store: unknown): ConfigIssue {
  const expected = "the URL of a store, a function that opens one, or an open store (with `open` and `close`)";
  return mismatch("store", undefined, expected, store === null ? "null" : `a value of the type ${typeof store}`);
}

function unshareableIssue(workers: GatewayConfig["workers"]): ConfigIssue {
  const expected = "1 with a store that the application opens, because it cannot be shared with other processes";
  const message = `expected ${expected}, got ${workers}: remove \`workers\`, or give the URL of a store and run "spillway serve"`;
  return { path: "workers", location: undefined, message, expected, got: String(workers) };
}

function workersIssue(workers: GatewayConfig["workers"]): ConfigIssue {
  const expected = "1 in an application, which may start several processes itself";
  const message = `expected ${expected}, got ${workers}: use "spillway serve" for more`;
  return { path: "workers", location: undefined, message, expected, got: String(workers) };
}

import type { ConnectionHooks, Gateway } from "../gateway/gateway.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { startGateway } from "../gateway/start.ts";
import { silentLogger, type Logger } from "../util/logger.ts";
import type { GatewayConfig } from "./config.ts";
import { ConfigError, type ConfigIssue } from "./issues.ts";
import { openStore } from "./open-store.ts";
import { plainLogger } from "./plain-logger.ts";
import { resolveConfig } from "./resolve.ts";

/** What a gateway takes from the program around it. */
export interface GatewayRuntime extends ConnectionHooks {
  /** Any logger shaped like pino; `false` for none. Default: warnings and errors go to stderr as plain lines. */
  readonly logger?: Logger | false | undefined;
  /** Reads the configuration anew, for `reload()`. Default: there is nothing to read. */
  readonly readConfig?: (() => GatewayConfig | Promise<GatewayConfig>) | undefined;
}

/** Like {@link GatewayRuntime}, for options that are resolved already. */
export interface ResolvedRuntime {
  readonly logger?: Logger | undefined;
  readonly readOptions?: (() => Promise<GatewayOptions>) | undefined;
  readonly hooks?: ConnectionHooks | undefined;
}

/**
 * Makes a gateway: opens its store and starts its upstreams. It listens only once `listen()` is called.
 * @throws {ConfigError} for a configuration with errors.
 * @throws {SpillwayError} `store-*` or `driver-missing` where the store cannot be opened.
 */
export async function createGateway(config: GatewayConfig, runtime: GatewayRuntime = {}): Promise<Gateway> {
  const options = resolveConfig(config);
  if (options.workers > 1 || config.workers === "auto") throw new ConfigError([workersIssue(config.workers)]);
  const { readConfig } = runtime;
  const logger = runtime.logger === false ? silentLogger : (runtime.logger ?? plainLogger);
  const readOptions = readConfig && (async (): Promise<GatewayOptions> => resolveConfig(await readConfig()));
  return openGateway(options, { logger, readOptions, hooks: runtime });
}

/** Like {@link createGateway}, from options that are resolved already. */
export async function openGateway(options: GatewayOptions, runtime: ResolvedRuntime = {}): Promise<Gateway> {
  const { logger = silentLogger, readOptions, hooks } = runtime;
  // What is lost while the gateway starts is heard of when it has.
  const early: string[] = [];
  let onReset = (stream: string): void => void early.push(stream);
  const store = await openStore(options, { logger, onReset: (stream) => onReset(stream) });
  try {
    const onResets = (listener: (stream: string) => void): void => {
      onReset = listener;
      for (const stream of early) listener(stream);
    };
    return await startGateway(options, { store, logger, readOptions, hooks, onResets });
  } catch (error) {
    await store.close().catch((cause: unknown) => logger.error({ err: cause }, "the store did not close"));
    throw error;
  }
}

function workersIssue(workers: GatewayConfig["workers"]): ConfigIssue {
  const expected = "1 in a program of its own (it may start processes itself)";
  const message = `expected ${expected}, got ${workers}: more are for "spillway serve"`;
  return { path: "workers", location: undefined, message, expected, got: String(workers) };
}

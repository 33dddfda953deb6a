import { assembleGateway, type Gateway } from "../gateway/gateway.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { silentLogger, type Logger } from "../util/logger.ts";
import type { GatewayConfig } from "./config.ts";
import { openStore } from "./open-store.ts";
import { resolveConfig } from "./resolve.ts";

/** What a gateway takes from the program around it. */
export interface GatewayRuntime {
  /** Any logger shaped like pino. Default: silence. */
  readonly logger?: Logger | undefined;
}

/**
 * Makes a gateway: opens its store and starts its upstreams. It listens only once `listen()` is called.
 * @throws {ConfigError} for a configuration with errors.
 * @throws {SpillwayError} `store-*` or `driver-missing` where the store cannot be opened.
 */
export async function createGateway(config: GatewayConfig, runtime: GatewayRuntime = {}): Promise<Gateway> {
  return openGateway(resolveConfig(config), runtime);
}

/** Like {@link createGateway}, from options that are resolved already. */
export async function openGateway(options: GatewayOptions, runtime: GatewayRuntime = {}): Promise<Gateway> {
  const { logger = silentLogger } = runtime;
  const store = await openStore(options, logger);
  try {
    return await assembleGateway(options, { store, logger });
  } catch (error) {
    await store.close().catch((cause: unknown) => logger.error({ err: cause }, "the store did not close"));
    throw error;
  }
}

import { Option, type Command } from "commander";
import { openGateway } from "../../config/create-gateway.ts";
import { formatListen } from "../../config/listen.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import type { Logger } from "../../util/logger.ts";
import { addConfigFlags, resolveFlags, type ConfigFlags } from "../config-flags.ts";
import { createLogger, logLevels, type LogLevel } from "../logger.ts";
import { onStopSignal } from "../stop-signal.ts";

interface ServeFlags extends ConfigFlags {
  readonly logLevel: LogLevel;
}

/** `spillway serve`: runs the gateway until it is told to stop. */
export function addServe(program: Command): void {
  const command = program.command("serve").description("connect to the upstreams and serve their streams");
  const logLevel = new Option("--log-level <level>", "what to log").choices(logLevels).default("info");
  addConfigFlags(command)
    .addOption(logLevel.env("SPILLWAY_LOG_LEVEL"))
    .action(async (flags: ServeFlags) => {
      const options = await resolveFlags(flags);
      await serve(options, createLogger(flags.logLevel));
      process.exit(0);
    });
}

async function serve(options: GatewayOptions, logger: Logger): Promise<void> {
  const stopped = new Promise<string>((resolve) => onStopSignal(resolve));
  const gateway = await openGateway(options, { logger });
  try {
    const address = await gateway.listen();
    logger.info({ address: `http://${formatListen(address)}`, ...summary(options) }, "listening");
    logger.info({ signal: await stopped }, "stopping");
  } finally {
    await gateway.close();
  }
  logger.info({}, "stopped");
}

function summary({ streams, store }: GatewayOptions): object {
  return { streams: Object.keys(streams), store: store.slice(0, store.indexOf(":")) };
}

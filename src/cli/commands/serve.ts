import { fileURLToPath } from "node:url";
import { Option, type Command } from "commander";
import { openGateway } from "../../config/create-gateway.ts";
import { formatListen } from "../../config/listen.ts";
import { openStore } from "../../config/open-store.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import type { Logger } from "../../util/logger.ts";
import { startPrimary } from "../../workers/primary.ts";
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
      const logger = createLogger(flags.logLevel);
      await (options.workers > 1 ? serveWithWorkers(options, logger, flags.logLevel) : serve(options, logger));
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

/** Node runs it by itself, so it has the name that it has once it is compiled. */
const workerProgram = fileURLToPath(new URL("../worker.js", import.meta.url));

async function serveWithWorkers(options: GatewayOptions, logger: Logger, logLevel: LogLevel): Promise<void> {
  const stopped = new Promise<string>((resolve) => onStopSignal(resolve));
  const store = await openStore(options, logger);
  const primary = await startPrimary(options, { store, logger, logLevel, program: workerProgram });
  const address = `http://${formatListen(primary.address)}`;
  logger.info({ address, ...summary(options), workers: options.workers }, "listening");
  logger.info({ signal: await stopped }, "stopping");
  await primary.close();
  logger.info({}, "stopped");
}

function summary({ streams, store }: GatewayOptions): object {
  return { streams: Object.keys(streams), store: store.slice(0, store.indexOf(":")) };
}

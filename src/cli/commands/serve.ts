import { fileURLToPath } from "node:url";
import { Option, type Command } from "commander";
import { formatListen, type ListenAddress } from "../../config/units.ts";
import { dashboardOf, type GatewayOptions } from "../../gateway/options.ts";
import { addConfigFlags, type ConfigFlags } from "../config-flags.ts";
import { createLogger, logLevels, type LogLevel, type ProgramLogger } from "../logger.ts";
import { resolveFlags } from "../resolve-flags.ts";
import { onStopSignal } from "../stop-signal.ts";

interface ServeFlags extends ConfigFlags {
  readonly logLevel: LogLevel;
}

/** `spillway serve`: runs the gateway until SIGINT or SIGTERM. */
export function addServe(program: Command): void {
  const command = program.command("serve").description("connect to the upstreams and serve their streams");
  const logLevel = new Option("--log-level <level>", "lowest level to log").choices(logLevels).default("info");
  addConfigFlags(command)
    .addOption(logLevel.env("SPILLWAY_LOG_LEVEL"))
    .action(async (flags: ServeFlags) => {
      // Registered first: process 1 of a container ignores a signal that has no handler.
      const stopped = new Promise<string>((resolve) => onStopSignal(resolve));
      const options = await resolveFlags(flags);
      const logger = createLogger(flags.logLevel);
      if (command.getOptionValueSource("upstream") === "cli" && /[?@]/.test(flags.upstream ?? "")) {
        logger.warn(
          { flag: "--upstream" },
          "other users of this machine can read a key in an argument: set a variable in .env and pass '${NAME}'",
        );
      }
      const runtime: Runtime = { logger, stopped, readOptions: () => readAgain(flags, options) };
      await (options.workers > 1 ? serveWithWorkers(options, runtime, flags.logLevel) : serve(options, runtime));
      await logger.flush();
      process.exit(0);
    });
}

/** Reads the current configuration. Keeps the certificate that `--dev-tls` created at the start. */
async function readAgain({ devTls, ...flags }: ServeFlags, { tls }: GatewayOptions): Promise<GatewayOptions> {
  const next = await resolveFlags(flags);
  return devTls ? { ...next, tls } : next;
}

/** Reloads on SIGHUP, except in a terminal: a closing terminal sends the signal too, and should end the process. */
function onReloadSignal(reload: () => Promise<void>): void {
  // The reload itself logs a failure.
  if (!process.stdin.isTTY) process.on("SIGHUP", () => void reload().catch(() => {}));
}

interface Runtime {
  readonly logger: ProgramLogger;
  readonly readOptions: () => Promise<GatewayOptions>;
  /** Resolves to the signal that asks the program to stop. */
  readonly stopped: Promise<string>;
}

async function serve(options: GatewayOptions, { logger, readOptions, stopped }: Runtime): Promise<void> {
  const { openGateway } = await import("../../config/create-gateway.ts");
  const opening = openGateway(options, { logger, readOptions });
  onReloadSignal(async () => (await opening).reload());
  const gateway = await opening;
  try {
    const address = await gateway.listen();
    announce(address, options, logger);
    logger.info({ signal: await stopped }, "stopping");
  } finally {
    await gateway.close();
  }
  logger.info({}, "stopped");
}

/** The path of the compiled program, which Node starts in a process of its own. */
const workerProgram = fileURLToPath(new URL("../worker.js", import.meta.url));

async function serveWithWorkers(
  options: GatewayOptions,
  { logger, readOptions, stopped }: Runtime,
  logLevel: LogLevel,
): Promise<void> {
  const { openStore } = await import("../../config/open-store.ts");
  const { startPrimary } = await import("../../workers/primary/primary.ts");
  const store = await openStore(options, { logger });
  const { diagnosticsHost } = await import("../../config/diagnostics.ts");
  const parts = { store, logger, logLevel, readOptions, program: workerProgram, ...diagnosticsHost };
  const starting = startPrimary(options, parts);
  onReloadSignal(async () => (await starting).reload());
  const primary = await starting;
  announce(primary.address, options, logger);
  logger.info({ signal: await stopped }, "stopping");
  await primary.close();
  logger.info({}, "stopped");
}

/** Logs the address; prints the URLs of the streams, the routes and the dashboard to a terminal. */
function announce(listen: ListenAddress, options: GatewayOptions, logger: ProgramLogger): void {
  const scheme = options.tls ? "https" : "http";
  const workers = options.workers > 1 ? { workers: options.workers } : {};
  logger.info({ address: `${scheme}://${formatListen(listen)}`, ...summary(options), ...workers }, "listening");
  // A browser cannot open the wildcard address.
  const host = /^(0\.0\.0\.0|::)$/.test(listen.host) ? "localhost" : listen.host;
  const paths = [...Object.keys(options.streams).map((name) => `/streams/${name}`), ...Object.keys(options.routes)];
  const origin = `${scheme}://${formatListen({ ...listen, host })}`;
  const shown = paths.slice(0, mostUrls).map((path) => origin + path);
  if (paths.length > mostUrls) shown.push(`and ${paths.length - mostUrls} more`);
  if (dashboardOf(options)) shown.push(`${origin}/dashboard/`);
  logger.note(shown);
}

/** The largest number of URLs listed on a terminal. */
const mostUrls = 10;

function summary({ streams, routes, store, listener }: GatewayOptions): object {
  const patterns = Object.keys(routes);
  const forwarded = patterns.length > 0 ? { routes: patterns } : {};
  return { streams: Object.keys(streams), ...forwarded, store: store.slice(0, store.indexOf(":")), listener };
}

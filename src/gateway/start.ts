import { createTickets, type LocalTickets } from "../access/tickets.ts";
import type { SessionMatch } from "../http/clients.ts";
import { createAdmission } from "../limits/admission.ts";
import type { LogStore } from "../log/log.ts";
import { createMetrics } from "../metrics/create-metrics.ts";
import { createProcessMonitor } from "../metrics/process-stats.ts";
import { runLog } from "../runs/record.ts";
import type { Logger } from "../util/logger.ts";
import { checkOptions } from "./check-options.ts";
import type { GatewayParts } from "./create-context.ts";
import { createDiagnostics, type DiagnosticsHost } from "./diagnostics.ts";
import { assembleGateway, type RunningGateway } from "./assemble-gateway.ts";
import type { Gateway } from "./gateway.ts";
import { nodeLog, Nodes } from "./nodes.ts";
import type { GatewayOptions } from "./options.ts";
import { OwnOnDemandStreams, type OnDemandDependencies } from "./on-demand-streams.ts";
import { createOwnDeliveries } from "./own-deliveries.ts";
import { createRunsIn } from "./own-runs.ts";
import { openStreams } from "./own-streams.ts";
import { countingParts, createReconfigurable } from "./reconfigurable.ts";
import { createReload } from "./reload.ts";
import { SharedTickets, ticketLog, type SharedTicketsOptions } from "./shared-tickets.ts";
import { createSharedStreams, type SharedStreams } from "./shared-streams.ts";
import type { OwnSource, SourceDependencies } from "./source.ts";
import { serveStream, type StreamDependencies } from "./stream.ts";
import { version } from "./version.ts";

export interface GatewayHost
  extends Pick<SourceDependencies, "store" | "logger">, Pick<GatewayParts, "hooks">, DiagnosticsHost {
  /** Opens a store for what clients of routes share, for a `store` that cannot have it. */
  openSharedStore(): Promise<LogStore>;
  /** Reads the configuration again; absent if there is nothing to read. */
  readonly readOptions?: (() => Promise<GatewayOptions>) | undefined;
  /** Leaves the store open when the gateway closes. Default: false. */
  readonly keepsStore?: boolean;
  /** Registers a listener for streams whose log was lost. */
  onResets?(listener: (stream: string) => void): void;
}

/** What uses a log of its own, by the log's name. */
type Reserved = Readonly<Record<string, { renew(): void } | undefined>>;

/** Shares tickets with the other nodes. */
function shareTickets(
  local: LocalTickets,
  { access }: GatewayOptions,
  parts: Pick<SharedTicketsOptions, "store" | "end" | "logger">,
): SharedTickets {
  return new SharedTickets(local, { ...parts, lifetime: access.tickets.lifetime });
}

/**
 * Starts a gateway in this process, which ingests, writes the log and serves. The gateway closes the store unless
 * `keepsStore` is set.
 */
export async function startGateway(options: GatewayOptions, host: GatewayHost): Promise<Gateway> {
  const { store, keepsStore = false, logger, readOptions, hooks } = host;
  await checkOptions(options);
  let current = options;
  const limits = (): GatewayOptions["limits"] => current.limits;
  const { lease } = options.cluster;
  const count = (): number => Object.keys(current.streams).length;
  const own = await openStreams(options, { store, logger, limits, lease, count });
  const stream = (name: string): OwnSource | undefined => own.sources.get(name);
  const deliveries = createOwnDeliveries(options.deliveries, { store, stream, lease, logger });
  const local = createTickets(options.access.tickets);
  const end = (match: SessionMatch): void => void gateway.peerCalls.end({ match, reason: "replaced" });
  const sharedTickets = store.coordination && shareTickets(local, options, { store, end, logger });
  const tickets = sharedTickets ?? local;
  const nodes = store.coordination && new Nodes({ store, peerCalls: () => gateway.peerCalls, logger });
  const onDemand = createOnDemandStreams(options, { store, peers: nodes, limits, logger });
  const shared = createSharedStreams({ store, openStore: host.openSharedStore, logger, limits });
  const runs = createRunsIn(store, options, { limits, logger });
  const admission = createAdmission(options.limits);
  const reconfigurable = createReconfigurable();
  const reload = readOptions && createReload(options, readOptions, { ...own, apply: reconfigurable.apply }, logger);
  const monitor = createProcessMonitor(() => gateway.bodies.bytes);
  const diagnostics = createDiagnostics(own, () => current, host);
  const metrics = createMetrics({
    version,
    streams: () => [...own.streams, ...onDemand.patterns()],
    store: () => store.connection?.(),
    ingestStats: (name) => own.sources.get(name)?.ingestStats(),
    refused: () => gateway.refused,
    routes: () => gateway.routes(),
    deliveries: deliveries.status,
    processes: () => [monitor.stats()],
    limits,
  });
  const gateway: RunningGateway = assembleGateway(options, {
    streams: own.streams,
    onDemand,
    shared,
    runs,
    reconfigurable,
    hooks,
    logger,
    startedAt: Date.now(),
    tickets,
    admission,
    peers: nodes,
    reload: reload?.run,
    deliveries,
    diagnostics,
    async endIngest() {
      await reload?.end();
      sharedTickets?.stop();
      await Promise.all([own.stop(), onDemand.stop(), shared.stop(), deliveries.stop()]);
    },
    metrics: () => metrics.render(),
    async end() {
      monitor.stop();
      diagnostics.stop();
      await Promise.all([shared.close(), nodes?.stop()]);
      if (!keepsStore) await store.close();
    },
  });
  const parts = [...countingParts(admission, tickets), onDemand.apply.bind(onDemand)];
  reconfigurable.add(
    (next) => void (current = next),
    ...parts,
    (next) => deliveries.apply(next.deliveries),
  );
  const reserved: Reserved = { [ticketLog]: sharedTickets, [nodeLog]: nodes, [runLog]: runs };
  const renew = (log: string): Promise<void> => own.renew(log).then(() => deliveries.renew(log));
  host.onResets?.((log) => renewLog(log, { reserved, shared, onDemand, renew }));
  return started(gateway, logger, async () => {
    await Promise.all([nodes?.start(), runs.start()]);
    await onDemand.start();
    own.start();
    await deliveries.start();
  });
}

/** The gateway once it is started. It is closed if that fails. */
async function started(gateway: Gateway, logger: Logger, start: () => Promise<void>): Promise<Gateway> {
  try {
    await start();
    return gateway;
  } catch (error) {
    await gateway.close().catch((err: unknown) => logger.error({ err }, "the gateway could not be closed"));
    throw error;
  }
}

/** The streams that are made on demand, served by this process. */
function createOnDemandStreams(
  options: GatewayOptions,
  dependencies: Omit<OnDemandDependencies, "serve"> & Pick<StreamDependencies, "limits">,
): OwnOnDemandStreams {
  const { limits, logger } = dependencies;
  const count = (): number => onDemand.open().length + 1;
  const onDemand = new OwnOnDemandStreams(options, {
    ...dependencies,
    serve: (name, stream, source, hold) => serveStream(name, stream, { ...source, hold }, { limits, count, logger }),
  });
  return onDemand;
}

/** What has a log that the store has lost. */
interface LogHolders {
  readonly reserved: Reserved;
  readonly shared: SharedStreams;
  readonly onDemand: OwnOnDemandStreams;
  renew(log: string): Promise<void>;
}

function renewLog(log: string, { reserved, shared, onDemand, renew }: LogHolders): void {
  if (Object.hasOwn(reserved, log)) return reserved[log]?.renew();
  shared.lose(log);
  void onDemand.lose(log);
  void renew(log);
}

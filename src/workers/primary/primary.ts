import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createTickets, type LocalTickets } from "../../access/tickets.ts";
import { SpillwayError } from "../../errors.ts";
import { checkOptions } from "../../gateway/check-options.ts";
import { createDiagnostics, type DiagnosticsHost } from "../../gateway/diagnostics.ts";
import { createOwnDeliveries, type OwnDeliveries } from "../../gateway/own-deliveries.ts";
import { OwnOnDemandStreams } from "../../gateway/on-demand-streams.ts";
import { retentionOf } from "../../gateway/own-runs.ts";
import { createPolicy } from "../../gateway/policy.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import { countingParts, createReconfigurable, type Reconfigure } from "../../gateway/reconfigurable.ts";
import { createReload, type Reload, type ReloadTarget } from "../../gateway/reload.ts";
import { openSource, openSources, stopSources, type OwnSource, type SourceDependencies } from "../../gateway/source.ts";
import type { Policy } from "../../http/gateway-context.ts";
import { createAdmission } from "../../limits/admission.ts";
import type { Log, LogStore } from "../../log/log.ts";
import { createProcessMonitor } from "../../metrics/process-stats.ts";
import { runLog } from "../../runs/record.ts";
import type { Logger } from "../../util/logger.ts";
import { createWorkerRequests } from "./worker-requests.ts";
import { createForwarding, forwardHints, type Notifier } from "./notifier.ts";
import { setUpWorkers, type WorkerProcess } from "./fork.ts";
import { createWorkerStats, type WorkerStats } from "./worker-stats.ts";
import { createWorkerCommands } from "./worker-commands.ts";
import { createPool, type Member, type Pool } from "./pool.ts";

export interface PrimaryParts extends DiagnosticsHost {
  /** The primary closes the store when it closes, or when it fails to start. */
  readonly store: LogStore;
  readonly logger: Logger;
  /** The file that each worker runs. */
  readonly program: string;
  /** The log level of the workers. */
  readonly logLevel: string;
  /** Reads the configuration again. */
  readonly readOptions: () => Promise<GatewayOptions>;
}

/** The process that writes the log, connects to the upstreams and runs the workers. It serves no clients. */
export interface Primary {
  /** The address on which the workers listen. */
  readonly address: { readonly host: string; readonly port: number };
  /**
   * Reads the configuration again and applies the changes.
   * @throws {SpillwayError} `config-invalid`, `restart-required`, or an error of opening a new stream, in which case
   * nothing has changed; `shutting-down`.
   */
  reload(): Promise<void>;
  /** Stops ingest, then the workers, which end their subscriptions, and then closes the log. */
  close(): Promise<void>;
}

/** How long a worker may take in addition to `drain` before it is killed, in ms. */
const closeGrace = 3000;

/**
 * Opens the log, starts the workers, and connects to the upstreams once all workers serve.
 * @throws {SpillwayError} the same errors as opening a gateway; `listen-failed`, `worker-failed`. The store is closed
 * then.
 */
export async function startPrimary(options: GatewayOptions, parts: PrimaryParts): Promise<Primary> {
  const { store, logger } = parts;
  let workers: Workers | undefined;
  try {
    await checkOptions(options);
    const sources = await openSources(options, { store, logger, lease: options.cluster.lease });
    const runs = await store.open(runLog, { retention: retentionOf(options) });
    const listen = await withPort(options.listen);
    // Port 0 keeps the port that was chosen for it.
    const readOptions = async (): Promise<GatewayOptions> => {
      const next = await parts.readOptions();
      return isDeepStrictEqual(next.listen, options.listen) ? { ...next, listen } : next;
    };
    workers = connectWorkers({ ...options, listen }, sources, runs, { ...parts, readOptions });
    await workers.onDemand.start();
    const { host, port } = await workers.pool.start();
    for (const source of sources.values()) source.start();
    await workers.deliveries.start();
    return { address: { host, port }, reload: workers.reload.run, close: () => close(sources, workers!) };
  } catch (error) {
    await workers?.pool.end(0);
    await store.close();
    throw error;
  }

  async function close(
    sources: ReadonlyMap<string, OwnSource>,
    { pool, drain, reload, deliveries, onDemand }: Workers,
  ): Promise<void> {
    await reload.end();
    await Promise.all([stopSources(sources), onDemand.stop(), deliveries.stop()]);
    // Lets the hints of the last events be sent before `close`.
    await nextTurn();
    const ended = pool.end(drain() + closeGrace);
    for (const { process } of pool.members) process?.channel.send({ kind: "close" });
    await ended;
    await store.close();
  }
}

/**
 * Replaces port 0 by a free port. Workers that ask for port 0 share one port, but if all of them die at once, their
 * replacements would get another.
 * @throws {SpillwayError} `listen-failed`
 */
async function withPort(address: GatewayOptions["listen"]): Promise<GatewayOptions["listen"]> {
  if (address.port !== 0) return address;
  const server = createServer().listen(address);
  try {
    await once(server, "listening");
  } catch (cause) {
    const reason = `cannot listen on ${address.host}:0: ${(cause as NodeJS.ErrnoException).code}`;
    throw new SpillwayError("listen-failed", reason, { field: "listen", cause });
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { ...address, port };
}

/** The connected worker pool. */
interface Workers {
  readonly pool: Pool;
  readonly reload: Reload;
  readonly deliveries: OwnDeliveries;
  readonly onDemand: OwnOnDemandStreams;
  /** The currently configured `drain`, in ms. */
  drain(): number;
}

/** Creates the pool and connects it to the sources. */
function connectWorkers(
  first: GatewayOptions,
  sources: Map<string, OwnSource>,
  runs: Log,
  parts: PrimaryParts,
): Workers {
  const { logger, program, logLevel, store, readOptions } = parts;
  setUpWorkers(program);
  let options = first;
  let kept = retentionOf(first);
  const admission = createAdmission(options.limits);
  const tickets = createTickets(options.access.tickets);
  const commands = createWorkerCommands(() => pool.members);
  const notifiers = (): Notifier[] => pool.members.flatMap(({ process }) => process?.notifier ?? []);
  const dependencies = { store, logger, lease: first.cluster.lease };
  const deliveries = createOwnDeliveries(first.deliveries, { ...dependencies, stream: (name) => sources.get(name) });
  const follow = createForwarding(notifiers);
  const onDemand = createOnDemandSources(first, follow, parts);
  const members = (): readonly Member[] => pool.members;
  const workerStats = createWorkerStats(members, sources, onDemand, deliveries.status, createProcessMonitor());

  const access = createAccessParts(tickets, logger);
  const reconfigurable = createReconfigurable();
  reconfigurable.add(
    access.check,
    (next) => void (options = next),
    ...countingParts(admission, tickets),
    access.reviewTickets,
    (next) => onDemand.apply(next),
    (next) => commands.apply(withoutSecrets(next)),
    (next) => deliveries.apply(next.deliveries),
    async (next) => void (await store.open(runLog, { retention: (kept = retentionOf(next, kept)) })),
  );

  const reload = createReload(
    first,
    readOptions,
    { ...createSourcesTarget(sources, dependencies, follow), apply: reconfigurable.apply },
    logger,
  );
  const diagnostics = createDiagnostics({ sources, streams: workerStats }, () => options, parts);
  const requests = createWorkerRequests({
    sources,
    onDemand,
    deliveries,
    runs,
    diagnostics,
    admission,
    tickets,
    ask: commands.ask,
    reload: reload.run,
  });

  const pool: Pool = createPool(
    options.workers,
    {
      clients: (process) => requests.clients(process),
      onStarted({ number }, { channel }) {
        const facts = workerStats.facts();
        channel.send({ kind: "start", number, options: withoutSecrets(options), logLevel, facts });
      },
      onMessage(member, message) {
        const process = member.process!;
        if (message.kind === "report") workerStats.report(member, message);
        else if (message.kind === "facts-request") void answerFacts(process, message.id, workerStats);
        else if (message.kind === "done") commands.take(process, message);
        else requests.handle(process, message);
      },
      onEnded(member, process) {
        workerStats.ended(member);
        commands.ended(process);
        requests.ended(process);
      },
    },
    logger,
  );
  for (const [stream, source] of sources) follow(stream, source);
  forwardHints(runLog, runs, notifiers);
  return { pool, reload, deliveries, onDemand, drain: () => options.drain };
}

async function answerFacts({ channel }: WorkerProcess, id: number, stats: WorkerStats): Promise<void> {
  channel.send({ kind: "facts", id, facts: await stats.refresh() });
}

/** The streams that are made on demand: the workers serve them. */
function createOnDemandSources(
  options: GatewayOptions,
  follow: (name: string, source: OwnSource) => void,
  { store, logger }: Pick<PrimaryParts, "store" | "logger">,
): OwnOnDemandStreams {
  return new OwnOnDemandStreams(options, {
    store,
    peers: undefined,
    async serve(name, _, source) {
      follow(name, source);
      return undefined;
    },
    logger,
  });
}

/** The primary's part in a change of the streams. */
function createSourcesTarget(
  sources: Map<string, OwnSource>,
  dependencies: SourceDependencies,
  follow: (name: string, source: OwnSource) => void,
): Pick<ReloadTarget, "prepare" | "remove"> {
  return {
    async prepare(name, { before, after }) {
      if (before) return sources.get(name)!.prepare(after);
      const source = await openSource(name, after, dependencies);
      return {
        commit() {
          sources.set(name, source);
          follow(name, source);
          source.start();
        },
        undo: () => source.stop(),
      };
    },
    async remove(name) {
      await sources.get(name)!.stop();
      sources.delete(name);
    },
  };
}

/**
 * The primary's part in a change of access: validates the options, and keeps only the tickets that they still grant.
 */
function createAccessParts(tickets: LocalTickets, logger: Logger): Record<"check" | "reviewTickets", Reconfigure> {
  let policy: Policy;
  return {
    // Throws `config-invalid` for options that cannot be applied.
    check: (next) => void (policy = createPolicy(next, tickets, logger)),
    reviewTickets: () => tickets.review((holder) => policy.access.review(holder)),
  };
}

/** The options that the workers get: upstreams, deliveries and transforms of published events are the primary's. */
function withoutSecrets(options: GatewayOptions): GatewayOptions {
  const streams = Object.entries(options.streams).map(([name, stream]) => [name, { ...stream, upstream: undefined }]);
  const patterns = Object.entries(options.patterns).map(([pattern, { stream, onDemand }]) => [
    pattern,
    { stream: { ...stream, transform: undefined }, onDemand },
  ]);
  return {
    ...options,
    streams: Object.fromEntries(streams) as GatewayOptions["streams"],
    patterns: Object.fromEntries(patterns) as GatewayOptions["patterns"],
    deliveries: {},
  };
}

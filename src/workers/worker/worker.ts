import type { Duplex } from "node:stream";
import type { GatewayParts } from "../../gateway/create-context.ts";
import { assembleGateway, type RunningGateway } from "../../gateway/assemble-gateway.ts";
import { createOwnRuns } from "../../gateway/own-runs.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import { createReconfigurable } from "../../gateway/reconfigurable.ts";
import { changeTo } from "../../gateway/reload.ts";
import { createSharedStreams } from "../../gateway/shared-streams.ts";
import { version } from "../../gateway/version.ts";
import { answerPeer } from "../../http/clients.ts";
import type { Limits } from "../../limits/options.ts";
import type { LogReader, LogReaders, LogStore } from "../../log/log.ts";
import { createMetrics, type Metrics } from "../../metrics/create-metrics.ts";
import type { MetricsSources } from "../../metrics/snapshot.ts";
import { createProcessMonitor } from "../../metrics/process-stats.ts";
import type { Logger } from "../../util/logger.ts";
import { loadTransforms } from "../../proxy/proxy.ts";
import { openChannel, type Channel } from "../ipc/channel.ts";
import { toErrorText, type Start, type ToPrimary, type ToWorker } from "../ipc/messages.ts";
import { runLog } from "../../runs/record.ts";
import { createRemoteDiagnostics } from "./remote-diagnostics.ts";
import { createPrimaryLink, createRemoteAdmission, createRemoteTickets, type PrimaryLink } from "./primary-link.ts";
import { WorkerOnDemandStreams } from "./on-demand-streams.ts";
import { createWorkerStreams } from "./streams.ts";

/** What the program of a worker provides. */
export interface WorkerHost {
  openReaders(options: GatewayOptions): Promise<LogReaders>;
  /** Opens a store for what clients of routes share in this process. */
  openSharedStore(logger: Logger): Promise<LogStore>;
  createLogger(level: string, worker: number): Logger;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** The interval of a worker's reports, in ms. Counts since the last report are lost if the worker is killed. */
const reportInterval = 1000;

/** How long a closing worker continues to read the remaining events of the logs, in ms. */
const catchUpTime = 2000;

/**
 * Serves clients under the control of the primary at the other end of the stream, and exits when the primary is gone.
 */
export function runWorker(stream: Duplex, host: WorkerHost): void {
  let worker: Worker | undefined;
  let starting: Promise<void> | undefined;
  const channel: Channel<ToPrimary> = openChannel<ToPrimary, ToWorker>(stream, {
    onMessage(message) {
      if (message.kind === "start") starting = start(message);
      else if (message.kind === "listen") void listen();
      else if (message.kind === "close") void close();
      else worker?.take(message);
    },
    onClose: () => host.exit(1),
  });

  async function start(message: Start): Promise<void> {
    try {
      worker = createWorker(message, channel, host);
      await worker.prepare();
      channel.send({ kind: "prepared" });
    } catch (error) {
      fail(error);
    }
  }

  async function listen(): Promise<void> {
    try {
      const { host: address, port } = await worker!.listen();
      channel.send({ kind: "ready", host: address, port });
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    channel.end({ kind: "failed", error: toErrorText(error) });
  }

  async function close(): Promise<void> {
    await starting;
    await worker?.close();
    host.exit(0);
  }
}

interface Worker {
  prepare(): Promise<void>;
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  take(message: Exclude<ToWorker, { kind: "start" | "listen" | "close" }>): void;
  close(): Promise<void>;
}

function createWorker(start: Start, channel: Channel<ToPrimary>, host: WorkerHost): Worker {
  let { options } = start;
  const logger = host.createLogger(start.logLevel, start.number);
  const primary = createPrimaryLink(channel, start.facts);
  const monitor = createProcessMonitor(() => gateway?.bodies.bytes ?? 0);
  const limits = (): Limits => options.limits;
  const openReader = (name: string): LogReader => readers.open(name);
  const onDemand = new WorkerOnDemandStreams(options, { openReader, primary, limits, logger });
  const count = (): number => Object.keys(options.streams).length;
  const streams = createWorkerStreams({ openReader, primary, limits, count, logger });
  const { followerOf, openLog, shown, changedStats, catchUp, ...changing } = streams;
  const metrics = createWorkerMetrics(() => [...shown, ...onDemand.patterns()], primary, limits);
  const reconfigurable = createReconfigurable();
  let readers: LogReaders;
  let gateway: RunningGateway | undefined;
  /** The start and all changes of options, one after the other. */
  let pending: Promise<void> = Promise.resolve();

  async function apply(next: GatewayOptions): Promise<void> {
    await changeTo(options, next, { ...changing, apply: reconfigurable.apply });
  }

  function report(): void {
    const { refused = {} } = gateway ?? {};
    const subscriberStats = changedStats(onDemand.stats());
    const { routes = () => ({}) } = gateway ?? {};
    channel.send({ kind: "report", subscriberStats, refused, routes: routes(), process: monitor.stats() });
  }

  return {
    prepare() {
      const prepared = prepare();
      pending = prepared.catch(() => {});
      return prepared;
    },
    listen: () => gateway!.listen(),
    take(message) {
      if (message.kind === "hint") (followerOf(message.stream) ?? onDemand.follower(message.stream))?.take(message);
      else if (message.kind === "upstream") followerOf(message.stream)?.announce(message.state);
      else if (message.kind === "report-request") report();
      else if (message.kind === "ask") {
        const answer = gateway && answerPeer(gateway.peerCalls, message.call);
        channel.send({ kind: "done", id: message.id, answer });
      } else if (message.kind === "apply") {
        pending = pending
          .then(() => apply(message.options))
          .catch((error: unknown) => logger.error({ err: error }, "the configuration could not be applied"))
          .then(() => channel.send({ kind: "done", id: message.id }));
      } else primary.settle(message);
    },
    close: async () => gateway?.close(),
  };

  async function prepare(): Promise<void> {
    await loadTransforms(options.routes);
    readers = await host.openReaders(options);
    await changing.start(options);
    const shared = createSharedStreams({ openStore: () => host.openSharedStore(logger), logger, limits });
    const runs = createOwnRuns(options, { openLog: async () => openLog(runLog), isShared: true, limits, logger });
    gateway = assembleGateway(options, {
      streams: shown,
      onDemand,
      shared,
      runs,
      reconfigurable,
      logger,
      startedAt: start.facts.startedAt,
      ...partsOfPrimary(primary, limits),
      metrics: () => primary.refresh().then(() => metrics.render()),
      async endIngest() {
        await pending;
        await Promise.all([catchUp(AbortSignal.timeout(catchUpTime)), shared.stop()]);
      },
      async end() {
        onDemand.stop();
        readers.close();
        await shared.close();
      },
    });
    reconfigurable.add((next) => void (options = next), onDemand.apply.bind(onDemand));
    await runs.start();
    setInterval(report, reportInterval).unref();
  }
}

/** What the primary does for a gateway. */
function partsOfPrimary(
  primary: PrimaryLink,
  limits: () => Limits,
): Pick<
  GatewayParts,
  "diagnostics" | "workers" | "routes" | "deliveries" | "refresh" | "tickets" | "admission" | "peers" | "reload"
> {
  return {
    workers: () => primary.facts().workers,
    routes: () => primary.facts().routes,
    diagnostics: createRemoteDiagnostics(primary),
    deliveries: {
      status: () => primary.facts().deliveries,
      command: async (name, command) => void (await primary.call("command", { name, command })),
    },
    refresh: () => primary.refresh(),
    tickets: createRemoteTickets(primary),
    admission: createRemoteAdmission(primary, limits),
    peers: { ask: (call) => primary.call("ask", call) },
    reload: async () => void (await primary.call("reload", null)),
  };
}

/** The metrics of all processes. */
function createWorkerMetrics(streams: MetricsSources["streams"], primary: PrimaryLink, limits: () => Limits): Metrics {
  return createMetrics({
    version,
    streams,
    ingestStats: (name) => primary.facts().streams[name]?.ingestStats,
    refused: () => primary.facts().refused,
    routes: () => primary.facts().routes,
    deliveries: () => primary.facts().deliveries,
    processes: () => primary.facts().processes,
    limits,
  });
}

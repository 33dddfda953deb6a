import type { OwnOnDemandStreams, PatternStream } from "../../gateway/on-demand-streams.ts";
import { nothingIngested } from "../../gateway/pattern-totals.ts";
import type { OwnSource } from "../../gateway/source.ts";
import type { DeliveriesStatus, SubscriberStats, WorkerStatus } from "../../http/gateway-status.ts";
import type { ProcessMonitor } from "../../metrics/process-stats.ts";
import {
  addStats,
  countSubscribers,
  isSameStats,
  noSubscribers,
  withoutConnected,
} from "../../http/subscriber-stats.ts";
import { addRoutes, onlyCurrent, withoutActive } from "../ipc/route-stats.ts";
import type { StatsByStream, Counts, Facts, Report, StreamFacts } from "../ipc/messages.ts";
import type { Member } from "./pool.ts";

/** Sums up the counters of the workers, including workers that have ended. */
export interface WorkerStats {
  /** Takes a worker's report. */
  report(member: Member, report: Report): void;
  /** Keeps the last counters of a worker that has ended. */
  ended(member: Member): void;
  /**
   * Asks every worker for a report and resolves to the facts. Uses the last report of a worker that does not answer in
   * time.
   */
  refresh(): Promise<Facts>;
  /** The facts from the last reports. */
  facts(): Facts;
  /** The statistics of a stream's subscribers, from the last reports. */
  get(stream: string): { subscriberStats(): SubscriberStats };
}

/** How long the workers have to answer, in ms. */
const reportTimeout = 300;

/** Creates the statistics over a pool's members. */
export function createWorkerStats(
  members: () => readonly Member[],
  sources: ReadonlyMap<string, OwnSource>,
  onDemand: Pick<OwnOnDemandStreams, "patterns" | "status">,
  deliveries: () => DeliveriesStatus,
  monitor: ProcessMonitor,
): WorkerStats {
  const startedAt = Date.now();
  /** Whether statistics are those of a configured stream or of a pattern, which include the streams made by it. */
  const isTotal = (name: string): boolean => sources.has(name) || name.includes("*");
  const reports = new Map<Member, Report>();
  let gone: Counters = { subscriberStats: {}, refused: {}, routes: {} };
  const asked = new Set<Member>();
  let underWay: Promise<Facts> | undefined;
  let onAnswered: () => void = () => {};

  function answered(member: Member): void {
    asked.delete(member);
    if (asked.size === 0) onAnswered();
  }

  async function refresh(): Promise<Facts> {
    for (const member of members()) {
      // A worker with an open request is not asked again: if it is stalled, requests would pile up.
      if (!member.process || asked.has(member)) continue;
      asked.add(member);
      member.process.channel.send({ kind: "report-request" });
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, reportTimeout);
      onAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
      if (asked.size === 0) onAnswered();
    });
    underWay = undefined;
    return facts();
  }

  function facts(): Facts {
    const routes = Array.from(reports.values(), (report) => report.routes).reduce(addRoutes, {});
    return {
      startedAt,
      workers: members().flatMap((member) => workerStatus(member, reports.get(member), isTotal)),
      refused: [...reports.values(), gone].map(({ refused }) => refused).reduce(addCounts),
      routes: addRoutes(routes, onlyCurrent(gone.routes, routes)),
      deliveries: deliveries(),
      processes: [
        { worker: "primary", ...monitor.stats() },
        ...Array.from(reports, ([{ number }, report]) => ({ worker: String(number), ...report.process })),
      ],
      streams: Object.fromEntries([
        ...Array.from(sources, ([name, source]) => [name, streamFacts(name, factsOf(source))]),
        ...Array.from(onDemand.patterns(), ([name, stream]) => [name, streamFacts(name, patternFacts(stream))]),
        ...Array.from(openNames([...reports.values()], isTotal), (name) => [
          name,
          streamFacts(name, { ingestStats: nothingIngested }),
        ]),
      ]) as Facts["streams"],
      onDemand: onDemand.status(),
    };
  }

  function statsOf(name: string): SubscriberStats {
    return [...reports.values(), gone].map((report) => report.subscriberStats[name] ?? noSubscribers).reduce(addStats);
  }

  function streamFacts(name: string, known: Omit<StreamFacts, "subscriberStats">): StreamFacts {
    return { subscriberStats: statsOf(name), ...known };
  }

  return {
    report(member, report) {
      reports.set(member, mergeReports(reports.get(member), report, isTotal));
      answered(member);
    },
    ended(member) {
      const last = reports.get(member);
      if (last) gone = addEnded(gone, { ...last, subscriberStats: select(last.subscriberStats, isTotal) });
      reports.delete(member);
      answered(member);
    },
    refresh: () => (underWay ??= refresh()),
    facts,
    get: (stream) => ({ subscriberStats: () => statsOf(stream) }),
  };
}

/** The part of a report that outlives its worker. */
type Counters = Omit<Report, "process">;

function addEnded(gone: Counters, last: Report): Counters {
  return {
    subscriberStats: addGone(gone.subscriberStats, last.subscriberStats),
    refused: addCounts(gone.refused, last.refused),
    routes: addRoutes(gone.routes, withoutActive(last.routes)),
  };
}

/** The status of a worker; none if its process has ended. */
function workerStatus(
  { process }: Member,
  report: Report | undefined,
  isTotal: (name: string) => boolean,
): WorkerStatus[] {
  if (!process) return [];
  return [{ pid: process.pid, subscribers: countSubscribers(select(report?.subscriberStats ?? {}, isTotal)) }];
}

/** Adds a report to the one before it, which has the statistics that have not changed; without those of closed streams. */
function mergeReports(before: Report | undefined, report: Report, isTotal: (name: string) => boolean): Report {
  const all = { ...before?.subscriberStats, ...report.subscriberStats };
  const isKept = (name: string): boolean => isTotal(name) || !isSameStats(all[name]!, noSubscribers);
  return { ...report, subscriberStats: select(all, isKept) };
}

/** The streams made on demand that are open in a worker. */
function openNames(reports: readonly Report[], isTotal: (name: string) => boolean): Set<string> {
  const names = reports.flatMap(({ subscriberStats }) => Object.keys(subscriberStats));
  return new Set(names.filter((name) => !isTotal(name)));
}

function select(stats: StatsByStream, isWanted: (name: string) => boolean): StatsByStream {
  return Object.fromEntries(Object.entries(stats).filter(([name]) => isWanted(name)));
}

function addCounts(a: Counts, b: Counts): Counts {
  const names = Object.keys({ ...a, ...b });
  return Object.fromEntries(names.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

function addGone(gone: StatsByStream, last: StatsByStream): StatsByStream {
  const added = Object.entries(last).map(([name, stats]) => {
    return [name, addStats(gone[name] ?? noSubscribers, withoutConnected(stats))] as const;
  });
  return { ...gone, ...Object.fromEntries(added) };
}

function factsOf(source: OwnSource): Omit<StreamFacts, "subscriberStats"> {
  return {
    upstream: source.upstream(),
    paused: source.paused(),
    transform: source.transform(),
    definition: source.definition(),
    ingestStats: source.ingestStats(),
  };
}

function patternFacts(pattern: PatternStream): Omit<StreamFacts, "subscriberStats"> {
  const { log, paused, transform, ingestStats } = pattern;
  return { log: log.state(), paused: paused(), transform: transform(), ingestStats: ingestStats() };
}

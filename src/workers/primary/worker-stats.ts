import type { OwnOnDemandStreams, PatternStream } from "../../gateway/on-demand-streams.ts";
import type { OwnSource } from "../../gateway/source.ts";
import type { DeliveriesStatus, SubscriberStats } from "../../http/gateway-status.ts";
import type { ProcessMonitor } from "../../metrics/process-stats.ts";
import { addStats, countSubscribers, noSubscribers, withoutConnected } from "../../http/subscriber-stats.ts";
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
    const running = members().filter((member) => member.process);
    return {
      startedAt,
      workers: running.map((member) => ({
        pid: member.process!.pid,
        subscribers: countSubscribers(reports.get(member)?.subscriberStats ?? {}),
      })),
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
      const subscriberStats = { ...reports.get(member)?.subscriberStats, ...report.subscriberStats };
      reports.set(member, { ...report, subscriberStats });
      answered(member);
    },
    ended(member) {
      const last = reports.get(member);
      if (last) gone = addEnded(gone, last);
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

import type { OwnSource } from "../gateway/source.ts";
import type { Audience } from "../http/served.ts";
import type { ProcessMonitor } from "../metrics/process-stats.ts";
import { addAudiences, countSubscribers, nobody, withoutPresence } from "./audience.ts";
import type { Audiences, Counts, Facts, Report, StreamFacts } from "./messages.ts";
import type { Member } from "./pool.ts";

/** Knows what the workers count, those that have ended included. */
export interface Gathering {
  /** Takes a worker's report. */
  report(member: Member, report: Report): void;
  /** A worker has ended: what it counted last stays counted. */
  ended(member: Member): void;
  /** Asks every worker and resolves to the facts; of one that does not answer in time, to what it reported last. */
  gather(): Promise<Facts>;
  /** The facts as they were reported last. */
  facts(): Facts;
}

/** How long the workers have to answer, in ms. */
const patience = 300;

/** Makes the gathering over a pool's members. */
export function createGathering(
  members: () => readonly Member[],
  sources: ReadonlyMap<string, OwnSource>,
  monitor: ProcessMonitor,
): Gathering {
  const startedAt = Date.now();
  const reports = new Map<Member, Report>();
  let gone: Pick<Report, "audiences" | "refused"> = { audiences: {}, refused: {} };
  const asked = new Set<Member>();
  let underWay: Promise<Facts> | undefined;
  let onAnswered: () => void = () => {};

  function answered(member: Member): void {
    asked.delete(member);
    if (asked.size === 0) onAnswered();
  }

  async function gather(): Promise<Facts> {
    for (const member of members()) {
      // One that owes an answer is not asked again: it may be stopped, and would have to read every question some day.
      if (!member.process || asked.has(member)) continue;
      asked.add(member);
      member.process.channel.send({ kind: "ask" });
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
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
    const running = members().filter((member) => member.process);
    return {
      startedAt,
      workers: running.map((member) => ({
        pid: member.process!.pid,
        subscribers: countSubscribers(reports.get(member)?.audiences ?? {}),
      })),
      refused: [...reports.values(), gone].map(({ refused }) => refused).reduce(addCounts),
      processes: [
        { worker: "primary", ...monitor.stats() },
        ...Array.from(reports, ([{ number }, report]) => ({ worker: String(number), ...report.process })),
      ],
      streams: Object.fromEntries([...sources].map(([name, source]) => [name, streamFacts(name, source)])),
    };
  }

  function streamFacts(name: string, source: OwnSource): StreamFacts {
    const audiences: Audience[] = [...reports.values(), gone].map((report) => report.audiences[name] ?? nobody);
    return {
      audience: audiences.reduce(addAudiences),
      upstream: source.upstream(),
      paused: source.paused(),
      ingestStats: source.ingestStats(),
    };
  }

  return {
    report(member, report) {
      const audiences = { ...reports.get(member)?.audiences, ...report.audiences };
      reports.set(member, { ...report, audiences });
      answered(member);
    },
    ended(member) {
      const last = reports.get(member);
      if (last) {
        gone = {
          audiences: addGone(gone.audiences, last.audiences),
          refused: addCounts(gone.refused, last.refused),
        };
      }
      reports.delete(member);
      answered(member);
    },
    gather: () => (underWay ??= gather()),
    facts,
  };
}

function addCounts(a: Counts, b: Counts): Counts {
  const names = Object.keys({ ...a, ...b });
  return Object.fromEntries(names.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

function addGone(gone: Audiences, last: Audiences): Audiences {
  const added = Object.entries(last).map(([name, audience]) => {
    return [name, addAudiences(gone[name] ?? nobody, withoutPresence(audience))] as const;
  });
  return { ...gone, ...Object.fromEntries(added) };
}

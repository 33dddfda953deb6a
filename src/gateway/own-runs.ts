import { SpillwayError } from "../errors.ts";
import { createHub } from "../hub/create-hub.ts";
import type { Log, LogStore, Retention } from "../log/log.ts";
import type { Limits } from "../limits/options.ts";
import { createRunFormat } from "../runs/format.ts";
import { RunJournal } from "../runs/journal.ts";
import { parseRunId, runLog } from "../runs/record.ts";
import { Runs, type RunCounts } from "../runs/runs.ts";
import type { Logger } from "../util/logger.ts";
import type { GatewayOptions } from "./options.ts";

/** The runs of a process. Their log is opened when it is first needed. */
export interface OwnRuns {
  /** Whether there are, or were, runs. */
  readonly isUsed: boolean;
  /** Whether an id may be that of a run of a program, also of an earlier process. */
  mayHave(id: string): boolean;
  /**
   * The runs, once they are open.
   * @throws {SpillwayError} a `store-…` code; `shutting-down`.
   */
  open(): Promise<Runs>;
  /** Opens them if runs are configured. */
  start(): Promise<void>;
  /** What has happened to the runs of a route in this process. */
  counts(route: string): RunCounts | undefined;
  /** Takes other options, which apply to new runs. */
  apply(options: GatewayOptions): Promise<void>;
  /** Ends all runs, because the store has lost their log. The next ones are stored in a new log. */
  renew(): void;
  /** Waits for the runs of this process; those that have not ended when most of `grace` ms is over are cut short. Idempotent. */
  close(grace: number): Promise<void>;
}

export interface OwnRunsDependencies {
  /** Opens the log, also again to change its retention. */
  openLog(retention: Retention): Promise<Log>;
  /** Whether other processes run runs of the same log. */
  readonly isShared: boolean;
  /** Whether a program can start runs in this process. Default: false. */
  readonly isProgram?: boolean;
  limits(): Limits;
  readonly logger: Logger;
}

/** The share of the time to drain that runs have to end. The rest is for their clients to read the end. */
const runShare = 0.8;

/** How a program's runs are kept, in ms, and the least for all: a shorter time would forget them before their end. */
const leastKept = 90 * 60_000;

/** Idempotency keys guard against two processes that do the same at the same time. */
const keys = 100_000;

/** The silence of a response after which clients get a comment, in ms. */
const heartbeat = { interval: 15_000, event: undefined };

/** Creates the runs of a process that has the store. */
export function createRunsIn(
  store: LogStore,
  options: GatewayOptions,
  parts: Pick<OwnRunsDependencies, "limits" | "logger">,
): OwnRuns {
  const openLog = (retention: Retention): Promise<Log> => store.open(runLog, { retention });
  return createOwnRuns(options, { openLog, isShared: store.coordination !== undefined, isProgram: true, ...parts });
}

/** Creates the runs of a process. */
export function createOwnRuns(initial: GatewayOptions, dependencies: OwnRunsDependencies): OwnRuns {
  const { openLog, isShared, isProgram = false, limits, logger } = dependencies;
  let options = initial;
  let retention = retentionOf(initial);
  let opening: Promise<Runs> | undefined;
  let opened: Runs | undefined;
  let closed: Promise<void> | undefined;

  async function openNew(): Promise<Runs> {
    const log = await openLog(retention);
    const hub = await createHub(log, {
      ids: "gateway",
      format: createRunFormat(log.epoch),
      heartbeat,
      coalesce: 0,
      get outbox() {
        return limits().outbox;
      },
      get stall() {
        return limits().stall;
      },
      warmUp: 0,
      logger,
    });
    const { lease } = options.cluster;
    const longest = Math.max(leastKept, ...Object.values(options.runs).map(({ total }) => total));
    const journal = new RunJournal(log, hub);
    const runs = new Runs({
      journal,
      isShared,
      lease,
      longest,
      kept: () => retention.age ?? leastKept,
      most: () => limits().runs,
      logger,
    });
    await runs.start();
    opened = runs;
    return runs;
  }

  function open(): Promise<Runs> {
    if (closed) return Promise.reject(new SpillwayError("shutting-down"));
    if (opening) return opening;
    const started = openNew();
    opening = started;
    started.catch(() => {
      // The next call tries again.
      if (opening === started) opening = undefined;
    });
    return started;
  }

  async function close(grace: number): Promise<void> {
    const runs = await opening?.catch(() => undefined);
    if (!runs) return;
    await runs.close(grace * runShare);
    await runs.journal.hub.close({ reason: "drain", over: 0, retry: [0, 0], grace: grace * (1 - runShare) });
  }

  return {
    get isUsed() {
      return opening !== undefined || Object.keys(options.runs).length > 0;
    },
    mayHave: (id) => isProgram && parseRunId(id) !== undefined,
    open,
    async start() {
      if (Object.keys(options.runs).length > 0) await open();
    },
    counts: (route) => (route in options.runs || opened?.hasCounts(route) ? opened?.countsOf(route) : undefined),
    async apply(next) {
      options = next;
      retention = retentionOf(next, retention);
      if (opened) await openLog(retention);
      else if (Object.keys(next.runs).length > 0) await open();
    },
    renew() {
      opened?.lose();
      opening = opened = undefined;
    },
    close: (grace) => (closed ??= close(grace)),
  };
}

/**
 * How long, and how much of, the runs of these options are kept: not shorter than `before` a reload, for the runs that
 * have begun then.
 */
export function retentionOf({ runs, limits }: GatewayOptions, before?: Retention): Retention {
  const times = Object.values(runs).map(({ ttl, total }) => ttl + total);
  const age = Math.max(leastKept, before?.age ?? 0, ...times);
  return { age, events: undefined, bytes: limits.runs, keys };
}

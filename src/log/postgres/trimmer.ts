import type { Logger } from "../../util/logger.ts";
import { idempotencyAge } from "../idempotency.ts";
import type { RunStatement } from "./connections.ts";
import type { SqlRow } from "./driver.ts";
import { isAbsent, storeError } from "./failure.ts";
import type { PostgresLog } from "./postgres-log.ts";
import type { Queries } from "./queries.ts";
import { toState } from "./streams.ts";

/** Removes what retention does not keep. Any node may: a step that another one has done finds nothing to do. */
export interface Trimmer {
  /**
   * Applies retention to a stream, to the end; resolves to the events removed.
   * @throws {SpillwayError} what the store throws.
   */
  trim(log: PostgresLog): Promise<number>;
  /** Ends what goes on by itself. */
  stop(): void;
}

/** How often number and size are looked at, in ms; they are known without a question to the server. */
const interval = 1_000;

/** How often the age is looked at, in ms, within its hundredth part. */
const ageInterval = { min: 1_000, max: 60_000 };

/** How often what is not part of a stream is removed, in ms. */
const pruneInterval = 60_000;

/** Events that a step removes: so long appends wait at most, a few milliseconds. */
const stepSize = 1_000;

/** Makes the trimmer of the logs that a store has open. */
export function createTrimmer(
  run: RunStatement,
  queries: Queries,
  logs: () => Iterable<PostgresLog>,
  now: () => number,
  logger: Logger,
): Trimmer {
  const agedAt = new WeakMap<PostgresLog, number>();
  let prunedAt = performance.now();
  let trimming = false;
  let failing = false;

  async function step(log: PostgresLog): Promise<number> {
    const { age, events = null, bytes = null } = log.retention;
    const before = age === undefined ? null : now() - age;
    try {
      const [row] = await run(queries.trim([log.id, log.epoch, before, events, bytes, stepSize]));
      const result = row!.result as SqlRow;
      if (result.epoch !== log.epoch) throw log.replace();
      log.take(toState(result), []);
      return Number(result.removed);
    } catch (error) {
      if (isAbsent(error)) throw log.replace();
      throw storeError(error);
    }
  }

  async function trim(log: PostgresLog): Promise<number> {
    let removed = 0;
    for (;;) {
      const more = await step(log);
      removed += more;
      if (more < stepSize) {
        // What was removed is not to be seen here any more, whether or not its end had come to this node.
        await log.reached(log.newest());
        return removed;
      }
    }
  }

  /** Whether there may be something to remove. */
  function isDue(log: PostgresLog): boolean {
    const { age, events = Infinity, bytes = Infinity } = log.retention;
    const state = log.state();
    if (state.events > events || state.bytes > bytes) return true;
    if (age === undefined || state.events === 0) return false;
    const wait = Math.min(Math.max(age / 100, ageInterval.min), ageInterval.max);
    if (performance.now() < (agedAt.get(log) ?? 0) + wait - interval / 2) return false;
    agedAt.set(log, performance.now());
    return true;
  }

  async function boundKeys({ id, retention }: PostgresLog): Promise<void> {
    if (retention.keys !== undefined) await run(queries.boundKeys(id, retention.keys));
  }

  async function prune(): Promise<void> {
    if (performance.now() < prunedAt + pruneInterval) return;
    prunedAt = performance.now();
    for (const log of logs()) await boundKeys(log);
    for (const statement of queries.prune(now() - idempotencyAge, stepSize)) await run(statement);
  }

  async function round(): Promise<void> {
    if (trimming) return;
    trimming = true;
    try {
      for (const log of logs()) if (isDue(log)) await trim(log);
      await prune();
      failing = false;
    } catch (error) {
      // A server that is away stays away for a while: said once, tried again and again.
      if (!failing) logger.warn({ err: storeError(error) }, "retention cannot be applied");
      failing = true;
    }
    trimming = false;
  }
  const timer = setInterval(() => void round(), interval);
  timer.unref();

  return {
    async trim(log) {
      const removed = await trim(log);
      await boundKeys(log);
      return removed;
    },
    stop: () => clearInterval(timer),
  };
}

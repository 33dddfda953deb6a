import type { Logger } from "../../util/logger.ts";
import { idempotencyAge } from "../idempotency.ts";
import type { LogState, Retention } from "../log.ts";
import type { LogDriver, OpenLog, StoreDriver } from "./driver.ts";

/** A log as retention sees it. */
export interface RetainedLog extends Pick<OpenLog, "observe"> {
  readonly driver: Pick<LogDriver, "trim" | "boundKeys">;
  readonly retention: Retention;
  state(): LogState;
}

/** Applies retention to the open logs of a store from time to time. Any node may: a step that another one has done finds nothing to do. */
export interface RetentionRounds {
  /** Starts no more rounds. */
  stop(): void;
}

/** How often number and size are checked, in ms; both are known without a question to the store. */
const interval = 1_000;

/** How often the age is checked, in ms: after a hundredth of it, within these bounds. */
const ageInterval = { min: 1_000, max: 60_000 };

/** How often what is not part of a log is pruned, in ms. */
const pruneInterval = 60_000;

/** Events that one step removes: a few milliseconds of work, for which appends may have to wait. */
const stepSize = 1_000;

/** Makes the rounds of a store. `logs` are the ones open at the moment, `now` is in ms since 1970. */
export function startRetention(
  store: Pick<StoreDriver, "prune" | "storeError">,
  logs: () => Iterable<RetainedLog>,
  now: () => number,
  logger: Logger,
): RetentionRounds {
  const agedAt = new WeakMap<RetainedLog, number>();
  let prunedAt = performance.now();
  let trimming = false;
  let failing = false;
  let stopped = false;

  /** Whether there may be something to remove. */
  function isDue(log: RetainedLog): boolean {
    const { age, events = Infinity, bytes = Infinity } = log.retention;
    const state = log.state();
    if (state.events > events || state.bytes > bytes) return true;
    if (age === undefined || state.events === 0) return false;
    const wait = Math.min(Math.max(age / 100, ageInterval.min), ageInterval.max);
    if (performance.now() < (agedAt.get(log) ?? 0) + wait - interval / 2) return false;
    agedAt.set(log, performance.now());
    return true;
  }

  /** Trims each log; throws the first error in the end, so that one log does not stand in the way of the others. */
  async function trimDue(): Promise<void> {
    let failed: { readonly error: unknown } | undefined;
    for (const log of logs()) {
      try {
        if (isDue(log)) await trimToEnd(log, now());
      } catch (error) {
        failed ??= { error };
      }
    }
    if (failed) throw failed.error;
  }

  async function prune(): Promise<void> {
    if (performance.now() < prunedAt + pruneInterval) return;
    prunedAt = performance.now();
    for (const { driver, retention } of logs())
      if (retention.keys !== undefined) await driver.boundKeys(retention.keys);
    await store.prune(now() - idempotencyAge);
  }

  async function round(): Promise<void> {
    if (trimming) return;
    trimming = true;
    try {
      await trimDue();
      await prune();
      failing = false;
    } catch (error) {
      // A store that cannot be reached stays so for a while: logged once, tried again every second.
      if (!failing && !stopped) logger.warn({ err: store.storeError(error) }, "retention cannot be applied");
      failing = true;
    }
    trimming = false;
  }

  const timer = setInterval(() => void round(), interval);
  timer.unref();
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/** Removes what retention does not keep, to the end; resolves to the events removed. `now` is in ms since 1970. */
export async function trimToEnd(log: RetainedLog, now: number): Promise<number> {
  const { age, events, bytes } = log.retention;
  const bounds = { before: age === undefined ? undefined : now - age, events, bytes };
  for (let removed = 0; ;) {
    const step = await log.driver.trim(bounds, stepSize);
    log.observe(step.state);
    removed += step.removed;
    if (step.removed < stepSize) return removed;
  }
}

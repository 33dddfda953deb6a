import type { Logger } from "../../util/logger.ts";
import { idempotencyAge } from "../idempotency.ts";
import type { TrimmedLog, Trimmer } from "./trimmer.ts";

/** How often retention is applied, and how often what is forgotten is removed, in ms. */
const trimInterval = 1_000;
const pruneInterval = 60_000;

/** What is done from time to time by every node; who comes second finds nothing to do. */
export interface RetentionTimer {
  /** Begins nothing more; resolves once nothing is under way. */
  stop(): Promise<void>;
}

/** Applies retention to the logs that are open at the moment, until it is stopped. */
export function startRetention(
  trimmer: Trimmer,
  logs: () => readonly TrimmedLog[],
  now: () => number,
  logger: Logger,
): RetentionTimer {
  let working: Promise<void> | undefined;
  let failing = false;
  let stopped = false;

  async function trim(): Promise<void> {
    try {
      for (const log of logs()) if (trimmer.isDue(log, now())) await trimmer.trim(log, now());
      failing = false;
    } catch (err) {
      // Said once, tried again and again.
      if (!failing && !stopped) logger.warn({ err }, "retention cannot be applied");
      failing = true;
    }
    working = undefined;
  }

  const trimTimer = setInterval(() => {
    working ??= trim();
  }, trimInterval).unref();
  async function prune(): Promise<void> {
    await trimmer.prune(now() - idempotencyAge);
    for (const log of logs()) await trimmer.boundKeys(log);
  }
  // What is not removed now is removed next time.
  const pruneTimer = setInterval(() => void prune().catch(() => {}), pruneInterval).unref();

  return {
    async stop() {
      stopped = true;
      clearInterval(trimTimer);
      clearInterval(pruneTimer);
      await working;
    },
  };
}

import type { LogRemoval } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** Removes the logs of streams that exist only for a while. */
export interface UnusedLogs {
  /** Cancels the removal of a log, or waits until it is complete, so that a stream can open the log. */
  claim(log: string): Promise<void>;
  /**
   * Closes the stream of a log, and then removes the log.
   * @param after how long the log is kept once it is closed, in ms. Default: it is removed at once.
   */
  release(log: string, close: () => Promise<void>, after?: number): void;
  /** Removes the logs of an earlier process `after` ms, unless they are claimed before. */
  sweep(prefix: string, after: number): Promise<void>;
  /** Removes no more logs; resolves when the current removals are complete. */
  stop(): Promise<void>;
}

/** Creates the removal of a store's logs. Failures are logged; the next process tries again. */
export function createUnusedLogs(removal: () => Promise<LogRemoval>, logger: Logger): UnusedLogs {
  const later = new Map<string, NodeJS.Timeout>();
  const running = new Map<string, Promise<void>>();
  let stopped = false;

  function run(log: string, work: () => Promise<void>): void {
    const done = work()
      .catch((err: unknown) => logger.warn({ err }, "a log that is no longer used could not be removed"))
      .finally(() => running.delete(log));
    running.set(log, done);
  }

  const removeNow = async (log: string): Promise<void> => void (await (await removal()).remove(log));

  function keep(log: string, after: number): void {
    clearTimeout(later.get(log));
    const remove = (): void => {
      later.delete(log);
      run(log, () => removeNow(log));
    };
    if (!stopped) later.set(log, setTimeout(remove, after).unref());
  }

  return {
    async claim(log) {
      clearTimeout(later.get(log));
      later.delete(log);
      while (running.has(log)) await running.get(log);
    },
    release(log, close, after) {
      run(log, async () => {
        await close();
        if (after !== undefined) keep(log, after);
        else if (!stopped) await removeNow(log);
      });
    },
    async sweep(prefix, after) {
      try {
        for (const log of await (await removal()).list(prefix)) if (!running.has(log)) keep(log, after);
      } catch (err) {
        logger.warn({ err }, "the logs that are no longer used could not be listed");
      }
    },
    async stop() {
      stopped = true;
      for (const timer of later.values()) clearTimeout(timer);
      await Promise.all(running.values());
    },
  };
}

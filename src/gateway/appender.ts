import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** The one way into a stream's log, which knows whether the log takes events at the moment. */
export interface Appender {
  /** As the log's own. */
  readonly append: Log["append"];
  /** Why the log takes nothing; `undefined` while it does. */
  paused(): ErrorCode | undefined;
  /** Ends what goes on by itself. */
  stop(): void;
}

/** How often a log that took nothing is asked whether it does again, in ms. */
const probeInterval = 1000;

/** Makes the appender of a log. */
export function createAppender(log: Log, logger: Logger): Appender {
  let paused: ErrorCode | undefined;
  let probe: NodeJS.Timeout | undefined;
  let stopped = false;

  const append: Appender["append"] = async (events, options) => {
    try {
      const appended = await log.append(events, options);
      resume();
      return appended;
    } catch (error) {
      if (error instanceof SpillwayError && isStoreFailure(error.code)) pause(error.code);
      throw error;
    }
  };

  function pause(code: ErrorCode): void {
    if (paused !== code) logger.error({ code }, "the log takes no events");
    paused = code;
    // An append of nothing writes all the same, so that it also tells where nobody publishes while `readyz` fails.
    if (!stopped) probe ??= setInterval(() => void append([]).catch(() => {}), probeInterval).unref();
  }

  function resume(): void {
    if (paused) logger.info({}, "the log takes events again");
    paused = undefined;
    clearInterval(probe);
    probe = undefined;
  }

  function stop(): void {
    stopped = true;
    clearInterval(probe);
  }

  return { append, paused: () => paused, stop };
}

function isStoreFailure(code: ErrorCode): boolean {
  return code.startsWith("store-") && code !== "store-closed";
}

import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { beginSpan } from "../telemetry/spans.ts";
import { countSince, createDurations } from "../util/durations.ts";
import type { Logger } from "../util/logger.ts";

/** The one way into a stream's log, which knows whether the log takes events at the moment. */
export interface Appender {
  /** As the log's own. */
  readonly append: Log["append"];
  /** Appends under the lease to ingest, if this node holds one. */
  readonly ingest: Log["append"];
  /** Why the log takes nothing; `undefined` while it does. */
  paused(): ErrorCode | undefined;
  /** What came through it. */
  readonly stats: Pick<IngestStats, "appendSeconds" | "appended" | "failed">;
  /** Ends what goes on by itself. */
  stop(): void;
}

/** The right to ingest, where nodes share the store. */
export interface IngestLease {
  /** The fence of the lease that this node holds; `undefined` without one. */
  fence(): number | undefined;
  /** Called when the store refuses an append because another node holds the lease. */
  onLost(): void;
}

/** How often a log that took nothing is asked whether it does again, in ms. */
const probeInterval = 1000;

/** Makes the appender of a log. */
export function createAppender(log: Log, logger: Logger, lease: IngestLease): Appender {
  let paused: ErrorCode | undefined;
  let probe: NodeJS.Timeout | undefined;
  let stopped = false;
  const stats = { appendSeconds: createDurations(), appended: 0, failed: 0 };

  const append: Appender["append"] = async (events, options) => {
    const span = beginSpan("spillway.log.append", { "spillway.stream": log.stream, "spillway.events": events.length });
    const begun = performance.now();
    try {
      const appended = await log.append(events, options);
      countSince(stats.appendSeconds, begun);
      if (!appended.replayed) stats.appended += events.length;
      resume();
      span.end();
      return appended;
    } catch (error) {
      const code = error instanceof SpillwayError ? error.code : undefined;
      if (code && isStoreFailure(code)) pause(code);
      if (code === "lease-lost" && options?.fence !== undefined) lease.onLost();
      span.end({}, code ?? "internal");
      throw error;
    }
  };

  const ingest: Appender["ingest"] = (events, options) => append(events, { ...options, fence: lease.fence() });

  function pause(code: ErrorCode): void {
    if (paused !== code) logger.error({ code }, "the log takes no events");
    paused = code;
    stats.failed++;
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

  return { append, ingest, paused: () => paused, stats, stop };
}

function isStoreFailure(code: ErrorCode): boolean {
  return code === "append-unknown" || (code.startsWith("store-") && code !== "store-closed");
}

import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { beginSpan } from "../telemetry/spans.ts";
import { countSince, createDurations } from "../util/durations.ts";
import type { Logger } from "../util/logger.ts";

/** Appends all events of a stream's log, and tracks whether the log can store events at the moment. */
export interface Appender {
  /** Like the log's own `append`. */
  readonly append: Log["append"];
  /** Appends under the lease to ingest, if this node holds one. */
  readonly ingest: Log["append"];
  /** Why the log cannot store events: an error code; `undefined` while it can. */
  paused(): ErrorCode | undefined;
  /** Counts of the appends. */
  readonly stats: Pick<IngestStats, "appendSeconds" | "appended" | "failed">;
  /** Stops the probe. */
  stop(): void;
}

/** The lease to ingest, if nodes share the store. */
export interface IngestLease {
  /** The fence of the lease that this node holds; `undefined` without one. */
  fence(): number | undefined;
  /** Called when the store refuses an append because another node holds the lease. */
  onLost(): void;
}

/** The interval between two probes of a log that cannot store events, in ms. */
const probeInterval = 1000;

/** Creates the appender of a log. */
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
    if (paused !== code) logger.error({ code }, "the log cannot store events");
    paused = code;
    stats.failed++;
    // An empty append still writes, so it detects the recovery even if nobody publishes while `/readyz` fails.
    if (!stopped) probe ??= setInterval(() => void append([]).catch(() => {}), probeInterval).unref();
  }

  function resume(): void {
    if (paused) logger.info({}, "the log can store events again");
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

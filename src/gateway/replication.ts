import type { ReplicationStatus } from "../http/gateway-context.ts";
import type { Log, StoreConnection } from "../log/log.ts";
import { countDuration, createDurations } from "../util/durations.ts";

/** How far this node is behind a log that nodes share. */
export interface Replication {
  status(): ReplicationStatus;
  /** Looks no more. */
  stop(): void;
}

/** Whatever is behind a store is heard of more often than that, in ms, as long as it can be reached. */
const longestSilence = 5_000;

/**
 * Looks from now on how late events arrive here, whichever node has appended them. Their times are by the clocks of those nodes: what
 * comes from a clock that is ahead of this one is not late.
 */
export function watchReplication(log: Log, connection: () => StoreConnection): Replication {
  const latency = createDurations();
  let last: number | undefined;

  const stop = log.watch(({ events = [] }) => {
    if (events.length === 0) return;
    const now = Date.now();
    countDuration(latency, secondsFrom(events[0]!.time, now));
    last = secondsFrom(events.at(-1)!.time, now);
  });

  return {
    status() {
      const { connected, silence, reconnects } = connection();
      // What arrived before says nothing of how far the log has gone on since.
      const lag = connected && silence < longestSilence ? last : Math.max(last ?? 0, silence / 1000);
      return { connected, lag, reconnects, latency };
    },
    stop,
  };
}

function secondsFrom(begin: number, end: number): number {
  return Math.max(0, end - begin) / 1000;
}

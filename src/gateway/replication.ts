import type { ReplicationStatus } from "../http/gateway-context.ts";
import type { Log, StoreConnection } from "../log/log.ts";
import { countDuration, createDurations } from "../util/durations.ts";

/** How far this node is behind a shared log. */
export interface Replication {
  status(): ReplicationStatus;
  /** Stops watching. */
  stop(): void;
}

/** A reachable store is heard from more often than this, in ms. */
const longestSilence = 5_000;

/**
 * Measures how late events of all nodes arrive at this node. An event's time comes from the clock of the node that
 * appended it: if that clock is ahead, the event counts as not late.
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
      // Without a connection, the last event's lag says nothing about events appended since.
      const lag = connected && silence < longestSilence ? last : Math.max(last ?? 0, silence / 1000);
      return { connected, lag, reconnects, latency };
    },
    stop,
  };
}

function secondsFrom(begin: number, end: number): number {
  return Math.max(0, end - begin) / 1000;
}

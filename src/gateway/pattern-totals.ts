import type { StreamTransformStatus, SubscriberStats } from "../http/gateway-status.ts";
import { addNumbers, addStats, noSubscribers, withoutConnected } from "../http/subscriber-stats.ts";
import type { LogState } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { createDurations, type Durations } from "../util/durations.ts";

/** The sums over the streams of each pattern, which are metered together: their names come from clients. */
export interface PatternTotals {
  /** Keeps the counts of a stream that is closed. */
  add(pattern: string, stats: PatternStats): void;
  /** The counts of the streams that were closed, and of these ones, which are open. */
  sum(pattern: string, open: readonly PatternStats[]): PatternStats;
}

/** The counts of one stream, or of several ones. */
export interface PatternStats {
  readonly subscribers: SubscriberStats;
  readonly ingest: IngestStats;
  /** Absent without a transform. */
  readonly transform?: StreamTransformStatus | undefined;
}

/** Creates totals that are all zero. */
export function createPatternTotals(): PatternTotals {
  const closed = new Map<string, PatternStats>();
  const of = (pattern: string): PatternStats =>
    closed.get(pattern) ?? { subscribers: noSubscribers, ingest: nothingIngested };
  return {
    add(pattern, { subscribers, ...counts }) {
      closed.set(pattern, addAll(of(pattern), { subscribers: withoutConnected(subscribers), ...counts }));
    },
    sum: (pattern, open) => open.reduce(addAll, of(pattern)),
  };
}

/** The sums of the states of several logs. */
export function sumOfStates(states: Iterable<LogState>): LogState {
  let [head, events, bytes, lastTime] = [0, 0, 0, 0];
  for (const state of states) {
    head += state.head;
    events += state.events;
    bytes += state.bytes;
    lastTime = Math.max(lastTime, state.lastTime);
  }
  return { head, earliest: head - events + 1, upstreamCursor: undefined, events, bytes, lastTime };
}

/** The counts of a process that stores no events. */
export const nothingIngested: IngestStats = {
  appendSeconds: createDurations(),
  appended: 0,
  failed: 0,
  ingestSeconds: createDurations(),
  lastEventAt: undefined,
};

function addAll(a: PatternStats, b: PatternStats): PatternStats {
  return {
    subscribers: addStats(a.subscribers, b.subscribers),
    ingest: addIngest(a.ingest, b.ingest),
    transform: addTransforms(a.transform, b.transform),
  };
}

function addTransforms(
  a: StreamTransformStatus | undefined,
  b: StreamTransformStatus | undefined,
): StreamTransformStatus | undefined {
  if (!a || !b) return a ?? b;
  return {
    transformed: a.transformed + b.transformed,
    dropped: a.dropped + b.dropped,
    errors: addNumbers(a.errors, b.errors),
    lastError: b.lastError ?? a.lastError,
  };
}

function addIngest(a: IngestStats, b: IngestStats): IngestStats {
  return {
    appendSeconds: addDurations(a.appendSeconds, b.appendSeconds),
    appended: a.appended + b.appended,
    failed: a.failed + b.failed,
    ingestSeconds: addDurations(a.ingestSeconds, b.ingestSeconds),
    lastEventAt: b.lastEventAt ?? a.lastEventAt,
  };
}

function addDurations(a: Durations, b: Durations): Durations {
  return { counts: a.counts.map((count, bucket) => count + b.counts[bucket]!), sum: a.sum + b.sum };
}

import type { Gap } from "../hub/control.ts";
import { isName } from "../http/filter.ts";
import type { Log, NewEvent } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../upstream/upstream.ts";
import { countSince, createDurations } from "../util/durations.ts";
import { createJsonPointer } from "../util/json-pointer.ts";
import { pause } from "../util/pause.ts";

/** Brings an upstream's batches into the log. */
export interface Ingest {
  /** Resolves once the batch is durable; while the store cannot take it, it is tried again and again until `signal` aborts, which rejects. */
  deliver(batch: UpstreamBatch, signal: AbortSignal): Promise<void>;
  /** What the upstream may ask about the log. */
  readonly history: UpstreamHistory;
  /** What it brought. */
  readonly stats: IngestCounts;
}

/** What an ingest counts, and the one that takes its place goes on to. */
export interface IngestCounts extends Pick<IngestStats, "ingestSeconds"> {
  lastEventAt: number | undefined;
}

/** First and longest pause between two tries of an append, in ms. */
const retry = { min: 100, max: 5000 };

/** The hole that a source leaves which cannot resume; it is part of the log, so that everyone hears of it. */
const upstreamGap: Gap = { reason: "upstream", requested: null, earliest: null, lost: null };

/** Makes the ingest of one stream. `channel` points at an event's channel in its JSON data (RFC 6901). */
export function createIngest(
  log: Log,
  append: Log["append"],
  channel: string | undefined,
  stats: IngestCounts = { ingestSeconds: createDurations(), lastEventAt: undefined },
): Ingest {
  const channelOf = channel === undefined ? undefined : createJsonPointer(channel);

  const toNewEvent = ({ event, data, id }: UpstreamEvent): NewEvent => {
    const name = channelOf?.(data);
    return { event, data, channel: name !== undefined && isName(name) ? name : undefined, upstreamId: id };
  };

  return {
    async deliver(batch, signal) {
      const begun = performance.now();
      if (batch.events.length > 0) stats.lastEventAt = Date.now();
      const events = batch.events.map(toNewEvent);
      if (batch.gap && !(await endsWithGap(log))) events.unshift(gapEvent());
      const retryToken = {};
      for (let wait = retry.min; !signal.aborted; wait = Math.min(wait * 2, retry.max)) {
        try {
          await append(events, { upstreamCursor: batch.cursor, retryToken });
          countSince(stats.ingestSeconds, begun);
          return;
        } catch {
          // The appender has said why.
          await pause(wait, signal);
        }
      }
      signal.throwIfAborted();
    },
    history: historyOf(log),
    stats,
  };
}

function gapEvent(): NewEvent {
  return { event: "spillway.gap", data: JSON.stringify(upstreamGap), channel: undefined, upstreamId: undefined };
}

/** A hole right behind a hole is the same hole. */
async function endsWithGap(log: Log): Promise<boolean> {
  const { events } = await log.read(log.state().head - 1, { limit: 1 });
  return events[0]?.event === "spillway.gap";
}

/** How many events are read at once to find those without an id. */
const pageSize = 64;

/** What was published is none of the source's: it says nothing of what the source has sent. */
function historyOf(log: Log): UpstreamHistory {
  return {
    cursor: () => log.state().upstreamCursor,
    hasEvents: () => log.state().head > 0,
    hasId: async (id) => (await log.find({ sourceId: id })) !== undefined,
    async *unnamedAfter(id) {
      let position = await log.find({ sourceId: id });
      while (position !== undefined && position < log.state().head) {
        const { events, scanned } = await log.read(position, { limit: pageSize });
        for (const { event, data, upstreamId, published } of events) {
          if (published) continue;
          if (upstreamId) return;
          yield { event, data, id: undefined };
        }
        position = scanned;
      }
    },
  };
}

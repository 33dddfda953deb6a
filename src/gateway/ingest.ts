import type { Gap } from "../hub/control.ts";
import { isName } from "../http/filter.ts";
import type { Log, NewEvent } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../upstream/upstream.ts";
import { countSince, createDurations } from "../util/durations.ts";
import { createJsonPointer, parseJson, scalarText } from "../util/json-pointer.ts";
import { pause } from "../util/pause.ts";

/** Appends an upstream's batches to the log. */
export interface Ingest {
  /** Resolves once the batch is durable. A failed append is retried until `signal` aborts, which rejects. */
  deliver(batch: UpstreamBatch, signal: AbortSignal): Promise<void>;
  /** What the upstream needs to know about the log. */
  readonly history: UpstreamHistory;
  /** Counts of the ingested events. */
  readonly stats: IngestCounts;
}

/** The counts of an ingest. Its replacement continues them. */
export interface IngestCounts extends Pick<IngestStats, "ingestSeconds"> {
  lastEventAt: number | undefined;
}

/** The first and the longest delay between two attempts of an append, in ms. */
const retry = { min: 100, max: 5000 };

/** The gap of a source that cannot resume. It is stored in the log, so that every subscriber gets it. */
const upstreamGap: Gap = { reason: "upstream", requested: null, earliest: null, lost: null };

/** Replaces the events of a batch by others. Never fails. */
export type ChangeEvents = (events: readonly UpstreamEvent[]) => Promise<readonly UpstreamEvent[]>;

/**
 * Creates the ingest of a stream.
 * @param channel a JSON pointer (RFC 6901) to the channel in an event's data
 * @param change changes the events before they are stored; absent to store them as they are
 */
export function createIngest(
  log: Log,
  append: Log["append"],
  channel: string | undefined,
  change?: ChangeEvents,
  stats: IngestCounts = { ingestSeconds: createDurations(), lastEventAt: undefined },
): Ingest {
  const pointer = channel === undefined ? undefined : createJsonPointer(channel);

  const toNewEvent = ({ event, data, id, channel: own }: UpstreamEvent): NewEvent => {
    const name = own ?? (pointer && scalarText(pointer(parseJson(data))));
    return { event, data, channel: name !== undefined && isName(name) ? name : undefined, upstreamId: id };
  };

  return {
    async deliver(batch, signal) {
      const begun = performance.now();
      if (batch.events.length > 0) stats.lastEventAt = Date.now();
      const events = (change ? await change(batch.events) : batch.events).map(toNewEvent);
      if (batch.gap && !(await endsWithGap(log))) events.unshift(gapEvent());
      const retryToken = {};
      for (let wait = retry.min; !signal.aborted; wait = Math.min(wait * 2, retry.max)) {
        try {
          await append(events, { upstreamCursor: batch.cursor, retryToken });
          countSince(stats.ingestSeconds, begun);
          return;
        } catch {
          // The appender has logged the error.
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

/** Whether the log already ends with a gap: a second gap directly after it would say nothing new. */
async function endsWithGap(log: Log): Promise<boolean> {
  const { events } = await log.read(log.state().head - 1, { limit: 1 });
  return events[0]?.event === "spillway.gap";
}

/** How many events are read at once to find those without an id. */
const pageSize = 64;

/** The source's history in the log. Published events are skipped, because they did not come from the source. */
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

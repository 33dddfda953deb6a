import { SpillwayError } from "../errors.ts";
import type { Gap } from "../events/control.ts";
import type { Log, NewEvent } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { UpstreamFailure } from "../upstream/failure.ts";
import type { UpstreamBatch, UpstreamEvent, UpstreamHistory } from "../upstream/upstream.ts";
import { countSince, createDurations } from "../util/durations.ts";
import { createJsonPointer, parseJson, scalarText } from "../util/json-pointer.ts";
import { isName } from "../util/name.ts";
import { pause } from "../util/pause.ts";
import type { StreamTransform } from "./stream-transform.ts";

/** Appends an upstream's batches to the log. */
export interface Ingest {
  /**
   * Resolves once the batch is durable. A failed append is retried until `signal` aborts, which rejects. Rejects with a
   * final `UpstreamFailure` if the transform fails and its policy is to stop; all preceding events are durable then.
   */
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

/** What is stored at once of a batch, at most: numbers of events and of characters, and a time in ms. */
const maxPart = { events: 1_000, length: 1024 * 1024, age: 1_000 };

/**
 * Creates the ingest of a stream.
 * @param channel a JSON pointer (RFC 6901) to the channel in an event's data
 * @param transform the current transform of its events
 */
export function createIngest(
  log: Log,
  append: Log["append"],
  channel: string | undefined,
  transform: () => StreamTransform | undefined,
  stats: IngestCounts = { ingestSeconds: createDurations(), lastEventAt: undefined },
): Ingest {
  const pointer = channel === undefined ? undefined : createJsonPointer(channel);

  const toNewEvent = ({ event, data, id, channel: own }: UpstreamEvent): NewEvent => {
    const name = own ?? (pointer && scalarText(pointer(parseJson(data))));
    return { event, data, channel: name !== undefined && isName(name) ? name : undefined, upstreamId: id };
  };

  /** What is stored in the place of events that the upstream has asked about before it delivers them. */
  const asked = new WeakMap<UpstreamEvent, Promise<readonly NewEvent[]>>();

  function resultsOf(event: UpstreamEvent, signal: AbortSignal): Promise<readonly NewEvent[]> {
    const known = asked.get(event);
    if (known) return known;
    const change = transform();
    const original = toNewEvent(event);
    return change ? change.ofSource(original, signal).catch(stop) : Promise.resolve([original]);
  }

  async function store(events: readonly NewEvent[], upstreamCursor: string | undefined, signal: AbortSignal) {
    const retryToken = {};
    for (let wait = retry.min; !signal.aborted; wait = Math.min(wait * 2, retry.max)) {
      try {
        return void (await append(events, { upstreamCursor, retryToken }));
      } catch {
        // The appender has logged the error.
        await pause(wait, signal);
      }
    }
    signal.throwIfAborted();
  }

  return {
    async deliver(batch, signal) {
      const begun = performance.now();
      if (batch.events.length > 0) stats.lastEventAt = Date.now();
      const gap = batch.gap && !(await endsWithGap(log)) ? [gapEvent()] : [];
      if (!transform()) await store([...gap, ...batch.events.map(toNewEvent)], batch.cursor, signal);
      else
        for await (const { events, cursor, failure } of partsOf(batch, gap, (event) => resultsOf(event, signal))) {
          if (events.length > 0 || cursor !== undefined) await store(events, cursor, signal);
          if (failure) throw failure;
        }
      countSince(stats.ingestSeconds, begun);
    },
    history: {
      ...historyOf(log),
      storedAs(event, signal) {
        if (!transform()) return Promise.resolve([event]);
        const results = resultsOf(event, signal);
        asked.set(event, results);
        return results;
      },
    },
    stats,
  };
}

/** A part of a batch whose events were transformed. */
interface Part {
  readonly events: readonly NewEvent[];
  /** Where the source resumes after this part, if that is known. */
  readonly cursor: string | undefined;
  /** Why there are no further parts. */
  readonly failure?: UpstreamFailure;
}

/**
 * The results for the events of a batch. They are stored in parts, so that a slow transform does not delay its first
 * results, and one with many results takes a limited amount of memory. The results for one event are never separated.
 */
async function* partsOf(
  { events, cursor }: UpstreamBatch,
  gap: readonly NewEvent[],
  resultsOf: (event: UpstreamEvent) => Promise<readonly NewEvent[]>,
): AsyncGenerator<Part, void, undefined> {
  // Sources that resume by other positions than ids recognize the events of the first parts, if they are repeated.
  const resumesById = cursor !== undefined && events.findLast(({ id }) => id !== undefined)?.id === cursor;
  let results: NewEvent[] = [...gap];
  let length = 0;
  let since = performance.now();
  let position: string | undefined;
  for (const event of events) {
    try {
      for (const result of await resultsOf(event)) {
        results.push(result);
        length += result.data.length;
      }
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      return yield { events: results, cursor: position, failure: error };
    }
    if (resumesById) position = event.id ?? position;
    const age = performance.now() - since;
    if (results.length < maxPart.events && length < maxPart.length && age < maxPart.age) continue;
    yield { events: results, cursor: position };
    results = [];
    length = 0;
    since = performance.now();
  }
  yield { events: results, cursor };
}

/** @throws {UpstreamFailure} */
function stop(error: unknown): never {
  throw error instanceof SpillwayError ? new UpstreamFailure(error.code, { final: true }) : error;
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

import { randomInt } from "node:crypto";
import { createIdIndex, type IdIndex } from "../engine/id-index.ts";
import type { LogEvent } from "../log.ts";
import type { Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { Search } from "./search.ts";

/**
 * An index of the ids in a log. NATS has no index, so this node keeps one in memory: a few dozen bytes for each held
 * event with an id. It is built on the first lookup by reading the log once, and updated from then on.
 */
export interface UpstreamIds {
  /** The number of the latest held ingested event with this id, among those that this node knows. */
  latest(id: string): Promise<number | undefined>;
  /** The first held events with this id from an origin, in order: at most `maxAlike`. */
  alike(origin: "source" | "publisher", id: string): Promise<readonly LogEvent[]>;
  /** Adds newly appended events; `undefined` if they are unknown here: the next lookup rebuilds the index. */
  add(events: readonly LogEvent[] | undefined): void;
  /** Removes the events before `earliest`, which retention has removed. */
  trim(earliest: number): void;
}

/** Makes an empty index of a log. It contains hashes of ids, so the events are read to compare the actual ids. */
export function createUpstreamIds(batches: Batches, search: Search, head: Head): UpstreamIds {
  const ofSource = createIdIndex<number>();
  const ofPublishers = createIdIndex<number>();
  let complete = false;
  let making: Promise<void> | undefined;

  function put({ upstreamId, published, seq }: LogEvent): void {
    if (upstreamId === undefined) return;
    (published ? ofPublishers : ofSource).add(hash(upstreamId), seq, head.standing.earliest);
  }

  async function make(): Promise<void> {
    ofSource.clear();
    ofPublishers.clear();
    const { earliest, floor } = head.standing;
    let scanned = earliest - 1;
    for (let from = floor; scanned < head.standing.head;) {
      const { head: target } = head.standing;
      for await (const { seq, record, events } of batches.forward(from)) {
        events.filter((event) => event.seq > scanned).forEach(put);
        from = seq + 1;
        scanned = Math.max(scanned, record.head);
      }
      // Events that are missing at the end were removed meanwhile.
      scanned = Math.max(scanned, target);
    }
    complete = true;
  }

  async function completed(): Promise<void> {
    while (!complete) await (making ??= make().finally(() => (making = undefined)));
  }

  async function eventAt(number: number): Promise<LogEvent | undefined> {
    for await (const { record, events } of batches.forward(await search.place(number))) {
      if (record.head >= number) return events.find(({ seq }) => seq === number);
    }
    return undefined;
  }

  async function alike(index: IdIndex<number>, id: string): Promise<LogEvent[]> {
    const numbers = index.first(hash(id), head.standing.earliest);
    const events = await Promise.all(numbers.map(eventAt));
    return events.filter((event) => event?.upstreamId === id && event.seq >= head.standing.earliest) as LogEvent[];
  }

  return {
    async latest(id) {
      await completed();
      const number = ofSource.latest(hash(id), head.standing.earliest);
      if (number === undefined) return undefined;
      if ((await eventAt(number))?.upstreamId === id) return number;
      // The latest event with this hash has another id.
      return (await alike(ofSource, id)).at(-1)?.seq;
    },
    async alike(origin, id) {
      await completed();
      return alike(origin === "source" ? ofSource : ofPublishers, id);
    },
    add(events) {
      if (!events) complete = false;
      else if (complete) for (const event of events) put(event);
    },
    trim(earliest) {
      ofSource.trim(earliest);
      ofPublishers.trim(earliest);
    },
  };
}

/** The random seed of the hashes of this process, so that nobody can construct ids with the same hash. */
const seed = randomInt(0x7f_ff_ff_ff);

/** FNV-1a with a seed, in 31 bits: a number that the JavaScript engine stores without allocating an object. */
function hash(text: string): number {
  let value = seed;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return value >>> 1;
}

import { randomInt } from "node:crypto";
import { createIdIndex, type IdIndex } from "../engine/id-index.ts";
import type { LogEvent } from "../log.ts";
import type { Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { Search } from "./search.ts";

/**
 * Where ids are in a log. NATS has no index, so this node keeps one in memory: a few dozen bytes for each event held
 * that has an id. It is made when an id is first looked for, by reading the log once, and kept up from then on.
 */
export interface UpstreamIds {
  /** The number of the latest ingested event held with this id, among those that this node knows. */
  latest(id: string): Promise<number | undefined>;
  /** The first events held with this id that an origin gave, in order: at most `maxAlike`. */
  alike(origin: "source" | "publisher", id: string): Promise<readonly LogEvent[]>;
  /** Takes note of what was appended behind the events known; `undefined` where that is unknown here, and to be read when asked. */
  add(events: readonly LogEvent[] | undefined): void;
  /** Takes note that retention has removed what is before `earliest`. */
  trim(earliest: number): void;
}

/** Makes the index of a log, empty. Ids go by their hashes: what has one is read to see which it is. */
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
      // What is missing at the end was removed in between.
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
      // Another id has the same hash.
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

/** Where hashes begin in this process: nobody outside can make an id whose hash is that of another. */
const seed = randomInt(0x7f_ff_ff_ff);

/** FNV-1a from a seed, in 31 bits: a number that the engine keeps without an object of its own. */
function hash(text: string): number {
  let value = seed;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return value >>> 1;
}

import type { LogEvent } from "../log.ts";
import type { Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { Search } from "./search.ts";

/**
 * Where upstream ids are in a log. NATS has no index, so this node keeps one in memory: a few dozen bytes for each event held
 * that has an id. It is made when an id is first looked for, by reading the log once, and kept up from then on.
 */
export interface UpstreamIds {
  /** The number of the latest event held with this id, among those that this node knows. */
  find(id: string): Promise<number | undefined>;
  /** Takes note of what was appended behind the events known; `undefined` where that is unknown here, and to be read when asked. */
  add(events: readonly LogEvent[] | undefined): void;
  /** Takes note that retention has removed what is before `earliest`. */
  trim(earliest: number): void;
}

/** Makes the index of a log, empty. */
export function createUpstreamIds(batches: Batches, search: Search, head: Head): UpstreamIds {
  /** The latest number of an id, by the id's hash; in the order of the numbers. */
  const numbers = new Map<number, number>();
  let complete = false;
  let making: Promise<void> | undefined;

  function put({ upstreamId, seq }: LogEvent): void {
    if (upstreamId === undefined) return;
    const key = hash(upstreamId);
    numbers.delete(key);
    numbers.set(key, seq);
  }

  async function make(): Promise<void> {
    numbers.clear();
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

  /** Two ids may have one hash: then the latest event hides the other one's. */
  async function findAnyhow(id: string): Promise<number | undefined> {
    for await (const { events } of batches.backward(head.standing.floor)) {
      const found = events.findLast(({ upstreamId }) => upstreamId === id);
      if (found) return found.seq;
    }
    return undefined;
  }

  async function idOf(number: number): Promise<string | undefined> {
    for await (const { record, events } of batches.forward(await search.place(number))) {
      if (record.head >= number) return events.find(({ seq }) => seq === number)?.upstreamId;
    }
    return undefined;
  }

  return {
    async find(id) {
      while (!complete) await (making ??= make().finally(() => (making = undefined)));
      const number = numbers.get(hash(id));
      if (number === undefined || number < head.standing.earliest) return undefined;
      const found = (await idOf(number)) === id ? number : await findAnyhow(id);
      return found !== undefined && found >= head.standing.earliest ? found : undefined;
    },
    add(events) {
      if (!events) complete = false;
      else if (complete) for (const event of events) put(event);
    },
    trim(earliest) {
      for (const [key, number] of numbers) {
        if (number >= earliest) return;
        numbers.delete(key);
      }
    },
  };
}

/** FNV-1a, in 31 bits: a number that the engine keeps without an object of its own. */
function hash(text: string): number {
  let value = 0x81_1c_9d_c5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return value >>> 1;
}

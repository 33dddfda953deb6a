import type { Batch, Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { LogRecord } from "./record.ts";

/** Finds messages by their records. */
export interface Search {
  /**
   * The first message with events, from the log's floor on, for which `holds` returns true; `undefined` if there is
   * none. It must also return true for all later messages.
   */
  first(holds: (record: LogRecord) => boolean): Promise<Pick<Batch, "seq" | "record"> | undefined>;
  /** The message to start from to find the event `number`: no earlier message in the JetStream stream contains it. */
  place(number: number): Promise<number>;
  /** Records that no message before `seq` contains the event `number`. */
  remember(number: number, seq: number): void;
}

/** Maximum number of remembered places: those where pages ended, and the latest messages. */
const maxPlaces = 4_096;

/** Makes the search of a log. */
export function createSearch(batches: Batches, head: Head): Search {
  // `lru-cache` would allocate room for all places at once: 114 KiB for each stream.
  const places = new Map<number, number>();

  async function first(holds: (record: LogRecord) => boolean): Promise<Pick<Batch, "seq" | "record"> | undefined> {
    let found: Pick<Batch, "seq" | "record"> | undefined;
    let low = head.standing.floor;
    let high = head.seq + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const batch = await batches.next(middle);
      if (!batch || batch.seq >= high) high = middle;
      else if (holds(batch.record)) [found, high] = [batch, middle];
      else low = batch.seq + 1;
    }
    return found;
  }

  return {
    first,
    async place(number) {
      const known = places.get(number);
      if (known !== undefined) return known;
      if (number <= head.standing.earliest) return head.standing.floor;
      const found = await first((record) => record.head >= number);
      return found?.seq ?? head.seq + 1;
    },
    remember(number, seq) {
      places.delete(number);
      places.set(number, seq);
      if (places.size > maxPlaces) places.delete(places.keys().next().value!);
    },
  };
}

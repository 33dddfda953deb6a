import { idempotencyAge } from "../idempotency.ts";
import type { Batches } from "./batches.ts";
import type { Head } from "./head.ts";
import type { Queries } from "./queries.ts";
import { type LogRecord, readRecord } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** Removes from NATS what lies before the first event of a log. */
export interface Purger {
  purge(): Promise<void>;
}

/** How long pieces of a large batch are left alone, in ms: the message that names them may still come. */
const pieceAge = 60_000;

/** Messages that one round looks at one by one, at most. */
const maxLooks = 100;

/** How often what is before the first event is looked through, in ms, while that one stays where it is. */
const interval = 60_000;

/** Makes the purger of a log. `now` is the nodes' clock, `serverTime` that of NATS; both in ms since 1970. */
export function createPurger(
  queries: Queries,
  names: LogNames,
  head: Head,
  batches: Batches,
  now: () => number,
  serverTime: () => Promise<number>,
): Purger {
  /** Up to where messages were removed, and when. */
  let purged = -1;
  let purgedAt = -Infinity;

  /** Removes the first messages of a subject before `end` that are old enough. */
  async function purgeWhile(
    subject: string,
    end: number,
    isOld: (storedAt: number, record: LogRecord | undefined) => boolean,
  ): Promise<void> {
    let from = 1;
    for (let looks = 0; looks < maxLooks; looks++) {
      const message = await queries.next(names.stream, from, subject);
      if (!message || message.seq >= end || !isOld(message.time, readRecord(message.headers))) break;
      from = message.seq + 1;
    }
    if (from > 1) await queries.purge(names.stream, subject, from);
  }

  return {
    async purge() {
      const { floor } = head.standing;
      if (floor <= purged && performance.now() - purgedAt < interval) return;
      // Batches with a key are what it is looked up in, for as long as it is remembered.
      if (floor > 1) await queries.purge(names.stream, names.plain, floor);
      const forgotten = now() - idempotencyAge;
      await purgeWhile(names.batches, floor, (_, record) => record !== undefined && record.at <= forgotten);
      const first = await batches.next(floor);
      const firstPiece = first?.record.pieces?.[0] ?? floor;
      const settled = (await serverTime()) - pieceAge;
      await purgeWhile(names.pieces, Math.min(floor, firstPiece), (storedAt) => storedAt < settled);
      [purged, purgedAt] = [floor, performance.now()];
    },
  };
}

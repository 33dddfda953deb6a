import { idempotencyAge, isOverfull, surplusKeys } from "../idempotency.ts";
import type { Batches } from "./batches.ts";
import type { Connection } from "./connection.ts";
import type { Head } from "./head.ts";
import type { Queries } from "./queries.ts";
import { type LogRecord, readRecord } from "./record.ts";
import type { LogNames } from "./schema.ts";
import { subjectsBefore } from "./subjects.ts";

/** Removes from NATS what lies before the first event of a log. */
export interface Purger {
  /** `maxKeys` is how many batches are kept there for their idempotency keys; `undefined` for no bound. */
  purge(maxKeys: number | undefined): Promise<void>;
}

/** How long pieces of a large batch are left alone, in ms: the message that names them may still come. */
const pieceAge = 60_000;

/** Messages that one round looks at one by one, at most. */
const maxLooks = 100;

/** How often what is before the first event is looked through, in ms, while that one stays where it is. */
const interval = 30_000;

/** What a purger reads the time from, in ms since 1970. */
export interface PurgerClocks {
  /** The nodes' clock. */
  now(): number;
  /** That of NATS. */
  serverTime(): Promise<number>;
}

/** Makes the purger of a log. */
export function createPurger(
  connection: Connection,
  queries: Queries,
  names: LogNames,
  head: Head,
  batches: Batches,
  { now, serverTime }: PurgerClocks,
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

  /** Removes batches whose events are gone, until those of `max` keys are left. */
  async function purgeSurplus(floor: number, max: number): Promise<void> {
    const facts = await queries.facts(names.stream);
    // Behind the floor there is one message for each number, at most.
    const before = facts ? facts.messages - (facts.lastSeq - floor + 1) : 0;
    if (!isOverfull(before, max)) return;
    const prefix = names.keyed("");
    const kept = await subjectsBefore(connection, names, floor);
    const keys = surplusKeys(
      kept.map((subject) => subject.slice(prefix.length)),
      max,
    );
    for (const name of keys) await queries.purge(names.stream, names.keyed(name), floor);
  }

  return {
    async purge(maxKeys) {
      const { floor } = head.standing;
      if (floor <= purged && performance.now() - purgedAt < interval) return;
      // Batches with a key are what it is looked up in, for as long as it is remembered.
      if (floor > 1) await queries.purge(names.stream, names.plain, floor);
      const forgotten = now() - idempotencyAge;
      await purgeWhile(names.batches, floor, (_, record) => record !== undefined && record.at <= forgotten);
      if (maxKeys !== undefined) await purgeSurplus(floor, maxKeys);
      const first = await batches.next(floor);
      const firstPiece = first?.record.pieces?.[0] ?? floor;
      const settled = (await serverTime()) - pieceAge;
      await purgeWhile(names.pieces, Math.min(floor, firstPiece), (storedAt) => storedAt < settled);
      [purged, purgedAt] = [floor, performance.now()];
    },
  };
}

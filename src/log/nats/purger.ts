import { idempotencyAge, isOverfull, surplusKeys } from "../idempotency.ts";
import type { Batches } from "./batches.ts";
import type { Connection } from "./connection.ts";
import type { Head } from "./head.ts";
import type { Queries } from "./queries.ts";
import { type LogRecord, readRecord } from "./record.ts";
import type { LogNames } from "./schema.ts";
import { subjectsBefore } from "./subjects.ts";

/** Removes messages before the first event of a log from NATS. */
export interface Purger {
  /** `maxKeys`: how many of these messages are kept for their idempotency keys; `undefined` for no limit. */
  purge(maxKeys: number | undefined): Promise<void>;
}

/** Minimum age of pieces that are removed, in ms: the message that names them may not be stored yet. */
const pieceAge = 60_000;

/** Maximum number of messages that one round examines individually. */
const maxLooks = 100;

/** How often messages before the first event are examined, in ms, while the first event does not change. */
const interval = 30_000;

/** The clocks of a purger, in ms since 1970. */
export interface PurgerClocks {
  /** The node's clock. */
  now(): number;
  /** The clock of NATS. */
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
  /** Up to which message the last purge removed, and when. */
  let purged = -1;
  let purgedAt = -Infinity;

  /** Removes messages of a subject before `end`, from the first on, as long as they are old enough. */
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

  /** Removes trimmed batches with a key until at most `max` of them are left. */
  async function purgeSurplus(floor: number, max: number): Promise<void> {
    const facts = await queries.facts(names.stream);
    // From the floor on, there is at most one message per sequence number.
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
      // Batches with a key are kept as long as the key is remembered, because it is looked up in them.
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

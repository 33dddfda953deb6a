import { idempotencyAge, isOverfull, keyName, ownerLength, replayAppend } from "../idempotency.ts";
import type { Appended, Idempotency } from "../log.ts";
import type { SqliteDatabase } from "./driver.ts";
import { decodeText, encodeText } from "./text.ts";

/** The idempotency keys of all streams. Every method must be called in a transaction. */
export interface IdempotencyKeys {
  /**
   * The result of an earlier append whose key was used at most 24 h before `now`; `undefined` for a new key.
   * @throws {SpillwayError} `idempotency-conflict`.
   */
  replay(stream: number, idempotency: Idempotency, now: number): Appended | undefined;
  remember(stream: number, idempotency: Idempotency, appended: Appended, now: number): void;
  /** Removes at most `limit` keys from before a time; returns their number. */
  prune(before: number, limit: number): number;
  /** Removes surplus keys of a stream that has more than `max`. */
  bound(stream: number, max: number): void;
}

/**
 * Orders the keys as the latest of each owner, then the second latest of each, and so on, and deletes all after `max`.
 */
const deleteSurplus = `
  DELETE FROM idempotency_keys WHERE stream = ?1 AND key IN (
    SELECT key FROM (
      SELECT key, row_number() OVER (ORDER BY age, first DESC) AS place FROM (
        SELECT key, first, row_number() OVER (PARTITION BY substr(key, 1, ${ownerLength}) ORDER BY first DESC) AS age
        FROM idempotency_keys WHERE stream = ?1)
    ) WHERE place > ?2)`;

/** Makes the access of a writer to idempotency keys. */
export function createIdempotencyKeys(database: SqliteDatabase): IdempotencyKeys {
  const select = database.prepare(
    "SELECT fingerprint, first, last, time FROM idempotency_keys WHERE stream = ? AND key = ? AND time > ?",
  );
  const insert = database.prepare("INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)");
  const remove = database.prepare(
    "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE time <= ? LIMIT ?)",
  );

  const count = database.prepare("SELECT count(*) AS count FROM idempotency_keys WHERE stream = ?");
  /** Number of keys added since the last count, by stream. */
  const added = new Map<number, number>();

  return {
    replay(stream, idempotency, now) {
      const row = select.get(stream, keyName(idempotency), now - idempotencyAge);
      if (row === undefined) return undefined;
      const [first, last, time] = [Number(row.first), Number(row.last), Number(row.time)];
      return replayAppend({ fingerprint: decodeText(row.fingerprint), first, last, time }, idempotency.fingerprint);
    },
    remember(stream, idempotency, { first, last }, now) {
      insert.run(stream, keyName(idempotency), encodeText(idempotency.fingerprint), first, last, now);
      added.set(stream, (added.get(stream) ?? 0) + 1);
    },
    prune: (before, limit) => Number(remove.run(before, limit).changes),
    bound(stream, max) {
      if ((added.get(stream) ?? 0) <= Math.floor(max / 100)) return;
      added.delete(stream);
      if (isOverfull(Number(count.get(stream)!.count), max)) database.prepare(deleteSurplus).run(stream, max);
    },
  };
}

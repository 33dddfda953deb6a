import { idempotencyAge, replayAppend } from "../idempotency.ts";
import type { Appended, AppendOptions } from "../log.ts";
import type { SqliteDatabase } from "./driver.ts";
import { decodeText, encodeText } from "./text.ts";

type Idempotency = NonNullable<AppendOptions["idempotency"]>;

/** The idempotency keys of all streams. All is to be called in a transaction. */
export interface IdempotencyKeys {
  /**
   * The answer to an append whose key was used at most 24 h before `now`; `undefined` for a new key.
   * @throws {SpillwayError} `idempotency-conflict`.
   */
  replay(stream: number, idempotency: Idempotency, now: number): Appended | undefined;
  remember(stream: number, idempotency: Idempotency, appended: Appended, now: number): void;
  /** Forgets at most `limit` keys that are older than 24 h; returns their number. */
  prune(now: number, limit: number): number;
}

/** Makes the table of keys of a writer. */
export function createIdempotencyKeys(database: SqliteDatabase): IdempotencyKeys {
  const select = database.prepare(
    "SELECT fingerprint, first, last, time FROM idempotency_keys WHERE stream = ? AND key = ? AND time > ?",
  );
  const insert = database.prepare("INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)");
  const remove = database.prepare(
    "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE time <= ? LIMIT ?)",
  );

  return {
    replay(stream, { key, fingerprint }, now) {
      const row = select.get(stream, encodeText(key), now - idempotencyAge);
      if (row === undefined) return undefined;
      const [first, last, time] = [Number(row.first), Number(row.last), Number(row.time)];
      return replayAppend({ fingerprint: decodeText(row.fingerprint), first, last, time }, fingerprint);
    },
    remember(stream, { key, fingerprint }, { first, last }, now) {
      insert.run(stream, encodeText(key), encodeText(fingerprint), first, last, now);
    },
    prune: (now, limit) => Number(remove.run(now - idempotencyAge, limit).changes),
  };
}

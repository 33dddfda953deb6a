import { heldBytes } from "../event-bytes.ts";
import type { SqliteDatabase } from "./driver.ts";
import type { Stream, Streams } from "./streams.ts";
import { transact } from "./transaction.ts";

/** Removes what retention does not keep. */
export interface Trimmer {
  /** Removes at most `limit` of a stream's oldest events in one transaction; returns how many it removed. */
  step(stream: Stream, now: number, limit: number): number;
}

/** Makes the part of the writer that trims. */
export function createTrimmer(database: SqliteDatabase, streams: Streams): Trimmer {
  const selectOldest = database.prepare(
    "SELECT time, bytes FROM events WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT ?",
  );
  const remove = database.prepare("DELETE FROM events WHERE stream = ? AND seq < ?");

  /** The stream without the oldest events that it need not keep. */
  function trimmed(stream: Stream, now: number, limit: number): Stream {
    const { age = Infinity, events = Infinity, bytes = Infinity } = stream.retention;
    let { earliest, bytes: held } = stream;
    for (const row of selectOldest.iterate(stream.id, earliest, limit)) {
      const count = stream.head - earliest + 1;
      if (
        count <= events &&
        heldBytes({ head: stream.head, earliest, bytes: held }) <= bytes &&
        Number(row.time) >= now - age
      )
        break;
      held -= Number(row.bytes);
      earliest++;
    }
    return { ...stream, earliest, bytes: held };
  }

  return {
    step(stream, now, limit) {
      const after = trimmed(stream, now, limit);
      if (after.earliest === stream.earliest) return 0;
      transact(database, () => {
        remove.run(stream.id, after.earliest);
        streams.save(after);
      });
      streams.set(after);
      return after.earliest - stream.earliest;
    },
  };
}

import { heldBytes } from "../event-bytes.ts";
import type { Mutable } from "../../util/mutable.ts";
import type { SqliteDatabase } from "./driver.ts";
import type { Stream, Streams } from "./streams.ts";
import { transact } from "./transaction.ts";

/** Removes what retention does not keep. */
export interface Trimmer {
  /** Whether a stream may hold events that it need not keep; asks the database nothing. */
  isDue(stream: Stream, now: number): boolean;
  /** Removes at most `limit` of a stream's oldest events in one transaction; returns how many it removed. */
  step(stream: Stream, now: number, limit: number): number;
}

/** Makes the part of the writer that trims. */
export function createTrimmer(database: SqliteDatabase, streams: Streams): Trimmer {
  const selectOldest = database.prepare(
    "SELECT time, bytes FROM events WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT ?",
  );
  const removeBefore = database.prepare("DELETE FROM events WHERE stream = ? AND seq < ?");

  /** By stream: no event that it holds is older. */
  const oldest = new Map<number, number>();

  /** The stream without the oldest events that it need not keep, and the time of the last event that was looked at. */
  function trimmed(stream: Stream, now: number, limit: number): { after: Stream; time: number } {
    const after: Mutable<Stream> = { ...stream };
    let time = 0;
    for (const row of selectOldest.iterate(stream.id, stream.earliest, limit)) {
      time = Number(row.time);
      if (!mustGo(after, time, now)) break;
      after.earliest++;
      after.bytes -= Number(row.bytes);
    }
    return { after, time };
  }

  function remove(after: Stream): void {
    transact(database, () => {
      removeBefore.run(after.id, after.earliest);
      streams.save(after);
    });
    streams.set(after);
  }

  return {
    isDue: (stream, now) => stream.earliest <= stream.head && mustGo(stream, oldest.get(stream.id) ?? -Infinity, now),
    step(stream, now, limit) {
      const { after, time } = trimmed(stream, now, limit);
      if (after.earliest > stream.earliest) remove(after);
      oldest.set(stream.id, time);
      return after.earliest - stream.earliest;
    },
  };
}

/** Whether retention does not keep the oldest event of a stream, which is of this time. */
function mustGo({ head, earliest, bytes, retention }: Stream, time: number, now: number): boolean {
  return (
    head - earliest + 1 > (retention.events ?? Infinity) ||
    heldBytes({ head, earliest, bytes }) > (retention.bytes ?? Infinity) ||
    time < now - (retention.age ?? Infinity)
  );
}

import type { Mutable } from "../../util/mutable.ts";
import type { TrimBounds } from "../engine/driver.ts";
import { heldBytes } from "../event-bytes.ts";
import type { SqliteDatabase } from "./driver.ts";
import type { StreamRow } from "./messages.ts";
import type { Streams } from "./streams.ts";
import { transact } from "./transaction.ts";

/**
 * Removes up to `limit` of a stream's oldest events that exceed the bounds, in one transaction; returns their number.
 */
export type Trim = (stream: StreamRow, bounds: TrimBounds, limit: number) => number;

/** Makes the trimmer of a writer. */
export function createTrimmer(database: SqliteDatabase, streams: Streams): Trim {
  const selectOldest = database.prepare(
    "SELECT time, bytes FROM events WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT ?",
  );
  const removeBefore = database.prepare("DELETE FROM events WHERE stream = ? AND seq < ?");

  return (stream, bounds, limit) => {
    const after: Mutable<StreamRow> = { ...stream };
    for (const row of selectOldest.iterate(stream.id, stream.earliest, limit)) {
      if (isKept(after, Number(row.time), bounds)) break;
      after.earliest++;
      after.bytes -= Number(row.bytes);
    }
    if (after.earliest === stream.earliest) return 0;
    transact(database, () => {
      removeBefore.run(after.id, after.earliest);
      streams.save(after);
    });
    streams.set(after);
    return after.earliest - stream.earliest;
  };
}

/** Whether the bounds keep the oldest event of a stream, which has this time. */
function isKept({ head, earliest, bytes }: StreamRow, time: number, bounds: TrimBounds): boolean {
  return (
    head - earliest + 1 <= (bounds.events ?? Infinity) &&
    heldBytes({ head, earliest, bytes }) <= (bounds.bytes ?? Infinity) &&
    time >= (bounds.before ?? -Infinity)
  );
}

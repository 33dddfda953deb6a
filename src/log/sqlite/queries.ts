import type { ScanRange } from "../engine/driver.ts";
import { maxAlike } from "../log.ts";
import type { SqlValue } from "./driver.ts";
import { isReserved } from "./schema.ts";
import { encodeText } from "./text.ts";

/** A statement, and its values after the first two: the stream, and the sequence number to start from (exclusive). */
export interface Query {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** With more values than this, scanning every event is cheaper than merging the index ranges. */
const maxMerged = 32;

/** Columns to select. A backward scan only counts events, so it leaves out the data, unless a condition needs it. */
function columns({ direction, filter }: Selection): string {
  const data = direction === "forward" || filter?.where ? "data" : "'' AS data";
  return `seq, time, event, ${data}, channel, upstream_id, publisher_id, bytes`;
}

type Selection = Pick<ScanRange, "direction" | "filter">;

/**
 * Selects a stream's events in order, through an index. The result includes all events that match the filter. It
 * includes others only if the filter has both channels and types, or more values than can be merged.
 */
export function selectEvents(selection: Selection): Query {
  const { direction, filter } = selection;
  const { channels, events } = filter ?? {};
  if (channels && channels.length <= maxMerged) return merge("channel", "events_by_channel", channels, selection);
  if (events && events.length <= maxMerged) return merge("event", "events_by_type", events, selection);
  return {
    sql: `SELECT ${columns(selection)} FROM events WHERE ${range(direction)} ORDER BY ${order(direction)}`,
    values: [],
  };
}

/** Merges one ordered index range per value, and one of the reserved types, which match every filter. */
function merge(column: string, index: string, wanted: readonly string[], selection: Selection): Query {
  const { direction } = selection;
  const values = [...new Set(wanted)];
  const ranges = values.map(
    (_, position) =>
      `SELECT ${columns(selection)} FROM events INDEXED BY ${index}
        WHERE ${range(direction)} AND ${column} = ?${position + 3} AND NOT (${isReserved})`,
  );
  const reserved = `SELECT ${columns(selection)} FROM events INDEXED BY events_reserved WHERE ${range(direction)} AND ${isReserved}`;
  const sql = `${[...ranges, reserved].join(" UNION ALL ")} ORDER BY ${order(direction)}`;
  return { sql, values: values.map(encodeText) };
}

function range(direction: ScanRange["direction"]): string {
  return `stream = ?1 AND seq ${direction === "forward" ? ">" : "<"} ?2`;
}

function order(direction: ScanRange["direction"]): string {
  return direction === "forward" ? "seq" : "seq DESC";
}

const streamColumns = "id, epoch, head, earliest, bytes, last_time AS lastTime, upstream_cursor AS upstreamCursor";

/** A stream's row, by its name. */
export const selectStream: string = `SELECT ${streamColumns} FROM streams WHERE name = ?1`;

/** A stream's row, by its id. */
export const selectRow: string = `SELECT ${streamColumns} FROM streams WHERE id = ?1`;

/** The names of all streams. */
export const selectNames = "SELECT name FROM streams";

/** The time of one event. */
export const selectTime: string = "SELECT time FROM events WHERE stream = ?1 AND seq = ?2";

/** The latest ingested event with an id. */
export const selectLatestOfSource: string = `
  SELECT seq FROM events INDEXED BY events_by_upstream_id
  WHERE stream = ?1 AND upstream_id = ?2 ORDER BY seq DESC LIMIT 1`;

/** The first ingested events with an id. */
export const selectAlikeOfSource: string = selectAlike("upstream_id = ?2", "events_by_upstream_id");

/** The first published events with an id. */
export const selectAlikeOfPublishers: string = selectAlike(
  "publisher_id = ?2 AND publisher_id > ''",
  "events_by_publisher_id",
);

function selectAlike(condition: string, index: string): string {
  return `SELECT seq, event, channel FROM events INDEXED BY ${index}
    WHERE stream = ?1 AND ${condition} ORDER BY seq LIMIT ${maxAlike}`;
}

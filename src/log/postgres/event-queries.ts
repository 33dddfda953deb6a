import { eventOverhead } from "../event-bytes.ts";
import { maxAlike, type LogFilter } from "../log.ts";
import type { ScanRange } from "../engine/driver.ts";
import type { SqlValue } from "./driver.ts";
import { hashed, indexed, isReserved } from "./schema.ts";
import { encodeText } from "./text.ts";

/** What is read of a stream besides its row. Its parameters follow the two of `inSnapshot`. */
export interface SnapshotQuery {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Which of a stream's events to select. */
export interface EventRange extends Pick<ScanRange, "filter" | "direction" | "from"> {
  /** At most this many events. */
  readonly rows: number;
  /** No event behind those that reach this many bytes. */
  readonly bytes: number;
}

/** What is read of the events of one stream. */
export interface EventQueries {
  /** A stream's events in order: all that match the filter, and others at most where the filter has more than one list. */
  selectEvents(range: EventRange): SnapshotQuery;
  /** The latest ingested event with an id. */
  selectLatestOfSource(id: string): SnapshotQuery;
  /** The first events with an id that this origin gave. */
  selectAlike(origin: "source" | "publisher", id: string): SnapshotQuery;
  /** The number before the first event at or after a time. */
  selectByTime(since: number): SnapshotQuery;
}

/** Beyond this many values scanning every event is cheaper than merging the index ranges. */
const maxMerged = 32;

/** Whether every event that {@link EventQueries.selectEvents} selects with this filter matches it. */
export function isExact(filter: LogFilter | undefined): boolean {
  const { channels, events, within, where } = filter ?? {};
  if (within || where || (channels && events)) return false;
  const wanted = channels ?? events;
  return !wanted || wanted.length <= maxMerged;
}

type Selection = Pick<ScanRange, "direction" | "filter">;

/** A backward scan only counts, so it leaves out the data, unless a condition needs it. */
function columns({ direction, filter }: Selection): string {
  const data = direction === "forward" || filter?.where ? "data" : "'' AS data";
  return `seq, time, event, ${data}, channel, upstream_id, publisher_id, bytes + ${eventOverhead} AS size`;
}

const orders: Readonly<Record<ScanRange["direction"], string>> = { forward: "seq", backward: "seq DESC" };

/** Whether an event's id of this origin is the first parameter, by an index. */
const hasId = {
  source: `stream = $1 AND ${indexed("upstream_id")} = ${indexed("$3::text")} AND upstream_id = $3`,
  publisher: `stream = $1 AND ${hashed("publisher_id")} = ${hashed("$3::text")} AND publisher_id = $3 AND publisher_id > ''`,
} as const;

/** Makes the queries over a schema. */
export function createEventQueries(schema: string): EventQueries {
  const table = (name: string): string => `"${schema}".${name}`;

  /** One range of the walk; `condition` is what its index serves. */
  function range(selection: Selection, condition: string): string {
    const { direction } = selection;
    return `SELECT ${columns(selection)} FROM ${table("events")}
      WHERE stream = $1 AND seq ${direction === "forward" ? ">" : "<"} $3 AND ${condition}
      ORDER BY ${orders[direction]} LIMIT $4`;
  }

  /** One ordered range of an index per value, and one of the reserved types, which pass every filter. */
  function merge(selection: Selection, column: string, count: number): string {
    const ranges = Array.from({ length: count }, (_, index) => {
      const value = `$${index + 6}`;
      const condition = `${indexed(column)} = ${indexed(`${value}::text`)} AND ${column} = ${value} AND NOT (${isReserved})`;
      return `(${range(selection, condition)})`;
    });
    const all = [...ranges, `(${range(selection, isReserved)})`].join(" UNION ALL ");
    return `SELECT * FROM (${all}) ranges ORDER BY ${orders[selection.direction]} LIMIT $4`;
  }

  /** Leaves out what lies behind the event that reaches `$5` bytes. */
  function within(direction: ScanRange["direction"], candidates: string): string {
    return `SELECT * FROM (
        SELECT *, sum(size) OVER (ORDER BY ${orders[direction]}) - size AS before FROM (${candidates}) candidates
      ) summed WHERE before < $5 ORDER BY ${orders[direction]}`;
  }

  function selectEvents(selection: EventRange): SnapshotQuery {
    const { filter, direction, from, rows, bytes } = selection;
    const { channels, events } = filter ?? {};
    const values = [from, rows, bytes];
    for (const [column, wanted] of [
      ["channel", channels],
      ["event", events],
    ] as const) {
      if (!wanted || wanted.length > maxMerged) continue;
      const distinct = [...new Set(wanted)].map(encodeText);
      const text = within(direction, merge(selection, column, distinct.length));
      return { text, values: [...values, ...distinct] };
    }
    const name = `spillway_${direction}${filter?.where ? "_data" : ""}`;
    return { name, text: within(direction, range(selection, "true")), values };
  }

  return {
    selectEvents,
    selectLatestOfSource: (id) => ({
      name: "spillway_latest_of_source",
      text: `SELECT seq AS found FROM ${table("events")} WHERE ${hasId.source} ORDER BY seq DESC LIMIT 1`,
      values: [encodeText(id)],
    }),
    selectAlike: (origin, id) => ({
      name: `spillway_alike_of_${origin}`,
      text: `SELECT seq, event, channel FROM ${table("events")} WHERE ${hasId[origin]}
        ORDER BY seq LIMIT ${maxAlike}`,
      values: [encodeText(id)],
    }),
    selectByTime: (since) => ({
      name: "spillway_by_time",
      text: `SELECT ${table("find_time")}($1, $3) AS found`,
      values: [since],
    }),
  };
}

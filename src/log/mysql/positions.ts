import { type AlikeEvent, LogReplacedError } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import { hashText } from "./hash.ts";
import { optionalText } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** Which events with an id are selected. */
export interface IdSelection {
  readonly origin: "source" | "publisher";
  readonly id: string;
  readonly order: "ASC" | "DESC";
  readonly limit: number;
}

/** Selects events of a stream that have an id. */
export async function selectById(
  connection: Connection,
  { streams, events }: Tables,
  stream: number,
  { origin, id, order, limit }: IdSelection,
): Promise<readonly AlikeEvent[]> {
  const column = origin === "source" ? "upstream" : "publisher";
  // As bytes, so that no rule of a collation makes different ids equal.
  const rows = await connection.rows(
    `SELECT seq, event, channel FROM ${events} FORCE INDEX (by_${column}_id)
    WHERE stream = ? AND ${column}_hash = ? AND CAST(${column}_id AS BINARY) = ?
      AND seq >= (SELECT earliest FROM ${streams} WHERE id = ?)
    ORDER BY seq ${order} LIMIT ?`,
    [stream, hashText(id), Buffer.from(id), stream, limit],
  );
  return rows.map(({ seq, event, channel }) => {
    return { seq: Number(seq), event: String(event), channel: optionalText(channel) };
  });
}

/** Events looked at in one round trip: each divides the range by one more than this. */
const probes = 31;

/** The number before the first event at or after a time. Times never decrease, so it is found by dividing. */
export async function beforeTime(
  connection: Connection,
  tables: Tables,
  stream: number,
  since: number,
): Promise<number> {
  let [low, high] = await readRange(connection, tables, stream);
  while (low < high) {
    const step = Math.ceil((high - low) / (probes + 1));
    const wanted = Array.from({ length: probes }, (_, index) => low + step * index).filter((seq) => seq < high);
    const times = await readTimes(connection, tables, stream, wanted);
    // One that is gone was trimmed, so it lies before.
    const next = wanted.find((seq) => (times.get(seq) ?? -Infinity) >= since);
    const last = wanted.findLast((seq) => (times.get(seq) ?? -Infinity) < since && (next === undefined || seq < next));
    high = next ?? high;
    low = last === undefined ? low : last + 1;
    if (next === low) break;
  }
  return low - 1;
}

/** The first number held, and the one behind the head. */
async function readRange(connection: Connection, { streams }: Tables, stream: number): Promise<[number, number]> {
  const [row] = await connection.rows(`SELECT earliest, head FROM ${streams} WHERE id = ?`, [stream]);
  if (!row) throw new LogReplacedError();
  return [Number(row["earliest"]), Number(row["head"]) + 1];
}

async function readTimes(
  connection: Connection,
  { events }: Tables,
  stream: number,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const rows = await connection.rows(`SELECT seq, time FROM ${events} WHERE stream = ? AND seq IN (?)`, [
    stream,
    numbers,
  ]);
  return new Map(rows.map(({ seq, time }) => [Number(seq), Number(time)]));
}

import { matches } from "../filter.ts";
import type { AlikeEvent } from "../engine/driver.ts";
import { firstMatch } from "../engine/position.ts";
import { maxAlike, type FindOptions, type LogPosition } from "../log.ts";
import { hashText } from "./hash.ts";
import { optionalText } from "./streams.ts";
import { type EventSource, stepRows, walkOn } from "./walk.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. */
export async function findPosition(
  source: EventSource,
  position: LogPosition,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  if ("sourceId" in position) return (await selectById(source, "upstream", position.sourceId, "DESC", 1))[0]?.seq;
  if ("upstreamId" in position) return firstWithId(source, position);
  if ("since" in position) return beforeTime(source, position.since);
  return beforeLast(source, position, signal);
}

async function firstWithId(
  source: EventSource,
  { upstreamId, published, filter }: Extract<LogPosition, { upstreamId: string }>,
): Promise<number | undefined> {
  const origins = published ? (["upstream", "publisher"] as const) : (["upstream"] as const);
  const lists = origins.map((origin) => selectById(source, origin, upstreamId, "ASC", maxAlike));
  return firstMatch(await Promise.all(lists), filter);
}

async function selectById(
  { connections, tables: { streams, events }, stream }: EventSource,
  origin: "upstream" | "publisher",
  id: string,
  order: "ASC" | "DESC",
  limit: number,
): Promise<readonly AlikeEvent[]> {
  // As bytes, so that no rule of a collation makes different ids equal.
  const rows = await connections.ask((connection) =>
    connection.rows(
      `SELECT seq, event, channel FROM ${events} FORCE INDEX (by_${origin}_id)
      WHERE stream = ? AND ${origin}_hash = ? AND CAST(${origin}_id AS BINARY) = ?
        AND seq >= (SELECT earliest FROM ${streams} WHERE id = ?)
      ORDER BY seq ${order} LIMIT ?`,
      [stream, hashText(id), Buffer.from(id), stream, limit],
    ),
  );
  return rows.map(({ seq, event, channel }) => {
    return { seq: Number(seq), event: String(event), channel: optionalText(channel) };
  });
}

/** Events looked at in one round trip; of a range, a part of 1 in so many and one is left. */
const probes = 31;

/** Times never decrease, so the first event at or after a time is found by dividing. */
async function beforeTime(source: EventSource, since: number): Promise<number> {
  let { earliest: low, head: high } = await readBounds(source);
  high++;
  while (low < high) {
    const step = Math.ceil((high - low) / (probes + 1));
    const wanted = Array.from({ length: probes }, (_, index) => low + step * index).filter((seq) => seq < high);
    const times = await readTimes(source, wanted);
    // One that is gone was trimmed, so it lies before.
    const next = wanted.find((seq) => (times.get(seq) ?? -Infinity) >= since);
    const last = wanted.findLast((seq) => (times.get(seq) ?? -Infinity) < since && (next === undefined || seq < next));
    high = next ?? high;
    low = last === undefined ? low : last + 1;
    if (next === low) break;
  }
  return low - 1;
}

async function readTimes(
  { connections, tables, stream }: EventSource,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const rows = await connections.ask((connection) =>
    connection.rows(`SELECT seq, time FROM ${tables.events} WHERE stream = ? AND seq IN (?)`, [stream, numbers]),
  );
  return new Map(rows.map(({ seq, time }) => [Number(seq), Number(time)]));
}

async function readBounds({ connections, tables, stream }: EventSource): Promise<{ earliest: number; head: number }> {
  const [row] = await connections.ask((connection) =>
    connection.rows(`SELECT earliest, head FROM ${tables.streams} WHERE id = ?`, [stream]),
  );
  return { earliest: Number(row?.["earliest"] ?? 1), head: Number(row?.["head"] ?? 0) };
}

/** Who walks backward reads no data, so there is nothing to bound. */
const unbounded = Number.MAX_SAFE_INTEGER;

async function beforeLast(
  source: EventSource,
  { last, filter }: Extract<LogPosition, { readonly last: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { head } = await readBounds(source);
  let left = last;
  let found = head;
  for (let from = head + 1; left > 0;) {
    signal?.throwIfAborted();
    const step = await walkOn(source, { direction: "backward", filter, from, limit: stepRows, maxBytes: unbounded });
    for (const { event } of step.events) {
      if (left === 0 || !matches(filter, event)) continue;
      found = event.seq - 1;
      left--;
    }
    if (!step.more || step.seq < step.earliest) break;
    from = step.seq;
  }
  return found;
}

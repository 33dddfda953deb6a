import { matches } from "../filter.ts";
import type { FindOptions, LogPosition } from "../log.ts";
import type { Reading } from "./page.ts";
import type { UpstreamIds } from "./upstream-ids.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. */
export async function findPosition(
  reading: Reading,
  ids: UpstreamIds,
  position: LogPosition,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  await reading.catchUp();
  if ("sourceId" in position) return ids.latest(position.sourceId);
  if ("upstreamId" in position) return ids.first(position);
  if ("since" in position) return beforeTime(reading, position.since);
  return beforeLast(reading, position, signal);
}

/** Times never decrease, so the first event at or after a time is found by halving. */
async function beforeTime({ head, search }: Reading, since: number): Promise<number> {
  const found = await search.first(({ time }) => time >= since);
  const { earliest, head: last } = head.standing;
  return found ? Math.max(found.record.head - found.record.count, earliest - 1) : last;
}

async function beforeLast(
  { head, batches }: Reading,
  { last, filter }: Extract<LogPosition, { readonly last: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { earliest, floor, head: end } = head.standing;
  if (last <= 0) return end;
  let [found, left] = [end, last];
  for await (const { events } of batches.backward(floor)) {
    signal?.throwIfAborted();
    for (const event of events.toReversed()) {
      if (event.seq < earliest) return found;
      if (event.seq > end || !matches(filter, event)) continue;
      found = event.seq - 1;
      if (--left === 0) return found;
    }
  }
  return found;
}

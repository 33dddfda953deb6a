import { matches } from "../filter.ts";
import type { FindOptions, LogFilter, LogPosition } from "../log.ts";
import type { AlikeEvent, ReadDriver } from "./driver.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. See {@link Log.find}. */
export async function findPosition(
  driver: ReadDriver,
  position: Exclude<LogPosition, { readonly last: number; readonly filter?: undefined }>,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  if ("sourceId" in position) return driver.latestOfSource(position.sourceId);
  if ("since" in position) return driver.beforeTime(position.since);
  if ("last" in position) return beforeLast(driver, position, signal);
  const { upstreamId, published, filter } = position;
  const origins = published ? (["source", "publisher"] as const) : (["source"] as const);
  return firstMatch(await Promise.all(origins.map((origin) => driver.alike(origin, upstreamId))), filter);
}

/** The first event that matches the filter, of lists of events that have an id, each in order. */
export function firstMatch(
  lists: readonly (readonly AlikeEvent[])[],
  filter: LogFilter | undefined,
): number | undefined {
  const found = lists.flatMap((events) => events.find((event) => matches(filter, event))?.seq ?? []);
  return found.length === 0 ? undefined : Math.min(...found);
}

async function beforeLast(
  driver: ReadDriver,
  { last, filter }: Extract<LogPosition, { readonly last: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let found: number | undefined;
  let left = last;
  for (let from = Number.MAX_SAFE_INTEGER; ;) {
    signal?.throwIfAborted();
    const step = await driver.scan({
      direction: "backward",
      filter,
      from,
      limit: Math.max(1, left),
      maxBytes: Infinity,
      live: false,
    });
    found ??= step.state.head;
    for (const event of step.events) {
      if (left <= 0) return found;
      if (!matches(filter, event)) continue;
      found = event.seq - 1;
      left--;
    }
    if (left <= 0 || step.end) return found;
    from = step.seq;
  }
}

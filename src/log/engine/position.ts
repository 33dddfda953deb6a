import { matches, matchesNames } from "../filter.ts";
import type { FindOptions, LogFilter, LogPosition } from "../log.ts";
import type { ReadDriver } from "./driver.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. See {@link Log.find}. */
export async function findPosition(
  driver: ReadDriver,
  position: Exclude<LogPosition, { readonly last: number; readonly filter?: undefined }>,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  if ("sourceId" in position) return driver.latestOfSource(position.sourceId);
  if ("since" in position) return driver.beforeTime(position.since);
  if ("last" in position) return beforeLast(driver, position, signal);
  return firstAlike(driver, position);
}

/** The first event with an id that matches the filter. */
async function firstAlike(
  driver: ReadDriver,
  { upstreamId, published, filter }: Extract<LogPosition, { readonly upstreamId: string }>,
): Promise<number | undefined> {
  const origins = published ? (["source", "publisher"] as const) : (["source"] as const);
  const lists = await Promise.all(origins.map((origin) => driver.alike(origin, upstreamId)));
  const named = lists.flat().filter((event) => matchesNames(filter, event));
  const found = named.map(({ seq }) => seq).toSorted((a, b) => a - b);
  if (!filter?.where) return found[0];
  for (const seq of found) if (await isMatch(driver, seq, filter)) return seq;
  return undefined;
}

/** Reads an event, because a condition may need its data. */
async function isMatch(driver: ReadDriver, seq: number, filter: LogFilter): Promise<boolean> {
  const range = { direction: "forward", filter: undefined, from: seq - 1, limit: 1, maxBytes: 1, live: false } as const;
  const { events } = await driver.scan(range);
  return events[0]?.seq === seq && matches(filter, events[0]);
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

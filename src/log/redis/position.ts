import { matches } from "../filter.ts";
import { firstMatch } from "../engine/position.ts";
import { maxAlike, type LogPosition } from "../log.ts";
import type { Command } from "./driver.ts";
import { seqOf, toEntries, toEvent } from "./entry.ts";
import { entriesFor, type Look } from "./page.ts";
import { numbersOf, placesCommand } from "./places.ts";
import type { Keys } from "./schema.ts";

/** Finds the latest ingested event with an id; `undefined` if none is held. */
export async function findLatest(look: Look, ids: string, id: string): Promise<number | undefined> {
  const { replies } = await look(["HGET", ids, id]);
  return replies[0] === null ? undefined : Number(replies[0]);
}

/** Finds the first event with an id that matches the filter. `events` is the key of the events. */
export async function findFirst(
  look: Look,
  { ids, places }: Pick<Keys, "ids" | "places">,
  events: string,
  { upstreamId, published, filter }: Extract<LogPosition, { upstreamId: string }>,
): Promise<number | undefined> {
  const { replies } = await look(
    placesCommand(places, "s", upstreamId),
    ["HGET", ids, upstreamId],
    ...(published ? [placesCommand(places, "p", upstreamId)] : []),
  );
  const [earlier, latest, ofPublishers] = replies;
  const ofSource = [...numbersOf(earlier!), ...(latest === null ? [] : [Number(latest)])].slice(0, maxAlike);
  const wanted = [...ofSource, ...numbersOf(ofPublishers ?? [])];
  if (wanted.length === 0) return undefined;
  // One that is no longer there was removed by a node that does not know of places.
  const found = await look(...wanted.map((seq): Command => ["XRANGE", events, `${seq}-0`, `${seq}-0`]));
  const held = found.replies.flatMap((reply) => toEntries(reply).map(toEvent));
  return firstMatch([held.toSorted((a, b) => a.seq - b.seq)], filter);
}

/** Finds the number behind which the last `last` events that match a filter begin. `key` is that of the events. */
export async function findLast(
  look: Look,
  key: string,
  { last, filter }: Extract<LogPosition, { readonly last: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { snapshot } = await look();
  const { head } = snapshot;
  if (last <= 0) return head;
  const count = entriesFor(snapshot);
  let found = head;
  for (let from = head, left = last; from > 0;) {
    signal?.throwIfAborted();
    const { replies } = await look(["XREVRANGE", key, `${from}-0`, "-", "COUNT", String(count)]);
    const entries = toEntries(replies[0]!);
    for (const entry of entries) {
      if (!matches(filter, toEvent(entry))) continue;
      found = seqOf(entry) - 1;
      if (--left === 0) return found;
    }
    if (entries.length < count) return found;
    from = seqOf(entries.at(-1)!) - 1;
  }
  return found;
}

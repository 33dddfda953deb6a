import { matches } from "../filter.ts";
import type { LogFilter } from "../log.ts";
import { seqOf, toEntries, toEvent } from "./entry.ts";
import { entriesFor, type Look } from "./page.ts";

/** Finds the latest event with an upstream id; `undefined` if none is held. */
export async function findId(look: Look, ids: string, upstreamId: string): Promise<number | undefined> {
  const { replies } = await look(["HGET", ids, upstreamId]);
  return replies[0] === null ? undefined : Number(replies[0]);
}

/** Finds the number behind which the last `last` events that match a filter begin. `key` is that of the events. */
export async function findLast(look: Look, key: string, last: number, filter: LogFilter | undefined): Promise<number> {
  const { snapshot } = await look();
  const { head, earliest } = snapshot;
  if (last <= 0) return head;
  if (!filter) return Math.max(earliest - 1, head - last);
  const count = entriesFor(snapshot);
  let found = head;
  for (let from = head, left = last; from > 0;) {
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

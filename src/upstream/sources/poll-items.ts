import { createJsonPointer } from "../../util/json-pointer.ts";
import { mapLimited } from "../../util/semaphore.ts";
import { UpstreamFailure } from "../failure.ts";
import type { Attempt } from "../source.ts";
import type { Mapping, PollOptions, UpstreamEvent } from "../upstream.ts";
import { hashOf } from "./json-delta.ts";
import { createMapper, refuse } from "./mapping.ts";
import type { PageReader } from "./page-reader.ts";

/** Maximum number of items in one response, because each becomes an event in memory. */
const maxItems = 10_000;

/** How many ids are looked up in the log at once. */
const lookups = 16;

interface Item extends UpstreamEvent {
  readonly id: string;
}

/** Creates a reader of lists. An item is new if neither the last page nor the log has its id, or its hash without one. */
export function createItemReader({ items: pointer = "", reverse, cursor }: PollOptions, mapping: Mapping): PageReader {
  const mapper = createMapper(mapping);
  const itemsAt = createJsonPointer(pointer);
  let lastPage: ReadonlySet<string> = new Set();

  function toItem(value: unknown, attempt: Attempt): Item | undefined {
    const mapped = mapper.ofValue(value);
    const id = "refused" in mapped ? undefined : (mapped.id ?? hashOf(value));
    if (!("refused" in mapped) && id !== undefined) return { ...mapped, id };
    refuse(attempt, "refused" in mapped ? mapped.refused : "it is nested too deeply");
    return undefined;
  }

  async function isNew(item: Item, { history, count }: Attempt): Promise<boolean> {
    if (lastPage.has(item.id)) return false;
    count("received");
    const known = history.hasEvents() && (await history.hasId(item.id));
    if (known) count("repeated");
    return !known;
  }

  return {
    async read(content, _position, attempt) {
      const values = listOf(itemsAt(content));
      const byId = new Map<string, Item>();
      for (const value of reverse ? values.toReversed() : values) {
        const item = toItem(value, attempt);
        if (item && !byId.has(item.id)) byId.set(item.id, item);
      }
      const items = [...byId.values()];
      const fresh = await mapLimited(items, lookups, (item) => isNew(item, attempt));
      const events = items.filter((_, index) => fresh[index]);
      // A page that shares no item with the log may not reach back to the last one. A cursor of the API does.
      const polled = attempt.history.cursor() !== undefined;
      const gap = polled && !cursor && items.length > 1 && events.length === items.length;
      return {
        events,
        gap: gap && attempt.history.hasEvents(),
        change: {},
        commit() {
          if (byId.size > 0) lastPage = new Set(byId.keys());
        },
      };
    },
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.length > maxItems) throw new UpstreamFailure("upstream-message-too-large", { reason: "TOO_MANY_ITEMS" });
  return items;
}

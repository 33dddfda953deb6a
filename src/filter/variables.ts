import type { Value } from "./value.ts";

/** The part of an event that a filter expression can use. Its data is parsed once, so it must not change. */
export interface FilterEvent {
  readonly event: string;
  readonly data: string;
  readonly channel: string | undefined;
  /** The publisher's or the upstream's own id. */
  readonly upstreamId: string | undefined;
}

/** A variable of every expression. */
interface Variable {
  /** The name of its type in CEL. */
  readonly type: "string" | "dyn";
  read(event: FilterEvent): Value;
}

/** The variables of an event by their names: those with which an event is published. */
export const variables: Readonly<Record<string, Variable>> = {
  event: { type: "string", read: ({ event }) => event },
  channel: { type: "string", read: ({ channel }) => channel ?? "" },
  id: { type: "string", read: ({ upstreamId }) => upstreamId ?? "" },
  data: { type: "dyn", read: readData },
};

/**
 * The parsed data of the latest events, because an event is tested by many filters, when it arrives and when it is
 * encoded. Once there are many, the older half is dropped.
 */
let parsed = new Map<FilterEvent, Value>();
let older: ReadonlyMap<FilterEvent, Value> = new Map();

/** The largest number of events in a half, and of characters of their data. */
const limits = { events: 512, characters: 512 * 1024 };
let characters = 0;

/** The event whose data was read last: each filter reads it at least once. */
let latest: { readonly event: FilterEvent; readonly value: Value } | undefined;

/** The parsed JSON, or the text itself if it is not JSON. */
function readData(event: FilterEvent): Value {
  if (latest?.event !== event) latest = { event, value: findData(event) };
  return latest.value;
}

function findData(event: FilterEvent): Value {
  const map = older.has(event) ? older : parsed;
  const known = map.get(event);
  if (known !== undefined) return known;
  if (parsed.size >= limits.events || characters >= limits.characters) {
    older = parsed;
    parsed = new Map();
    characters = 0;
  }
  const value = parse(event.data);
  parsed.set(event, value);
  characters += event.data.length;
  return value;
}

function parse(data: string): Value {
  try {
    return JSON.parse(data) as Value;
  } catch {
    return data;
  }
}

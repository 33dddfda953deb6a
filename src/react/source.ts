import type { EventMap, EventOf, GapEvents } from "../client/index.ts";
import type { OutputOf, StreamDefinition } from "../events/index.ts";

/** A stream: its name, or its definition, from which events get their types. */
export type StreamSource = string | StreamDefinition;

/** An event of a stream. Where events are missing, it is one of the type `spillway.gap` or `spillway.reset`. */
export type StreamEvent<Source> = EventOf<EventsOf<Source> & GapEvents>;

/** The data of a stream's events, by type. */
export type EventsOf<Source> =
  Source extends StreamDefinition<infer Events>
    ? { readonly [Type in keyof Events & string]: OutputOf<Events[Type]> }
    : EventMap;

/** The name of a stream; `undefined` for one that is not to be connected. */
export function nameOf(source: StreamSource | null | undefined): string | undefined {
  return typeof source === "string" ? source : source?.name;
}

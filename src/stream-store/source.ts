import type { EventMap, EventOf, EventsOf, GapEvents } from "../client/index.ts";
import type { StreamDefinition } from "../events/index.ts";

/** A stream: its name, or its definition, which checks the data of events and gives them types. */
export type StreamSource = string | StreamDefinition;

/** An event of a stream. Where events are missing, it is one of the type `spillway.gap` or `spillway.reset`. */
export type StreamEvent<Source> = EventOf<(Source extends StreamDefinition ? EventsOf<Source> : EventMap) & GapEvents>;

/** The name of a stream; `undefined` for one that is not to be connected. */
export function nameOf(source: StreamSource | null | undefined): string | undefined {
  return typeof source === "string" ? source : source?.name;
}

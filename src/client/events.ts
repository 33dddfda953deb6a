import type { StreamDefinition } from "../events/definition.ts";
import type { DataOf } from "../events/event.ts";

/** The types of a stream's events, with the type of their data. */
export type EventMap = Record<string, unknown>;

/** An event as an application gets it. */
export interface ClientEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  /** The parsed data. */
  readonly data: Data;
  /** The text that was received. */
  readonly raw: string;
  /** The id to resume after this event with; `""` if the stream has none. */
  readonly id: string;
}

/** Events are missing here, or the log is a new one: see `onGap`. */
export interface Gap {
  /**
   * `trimmed`: retention removed the events. `unknown`: the log does not know the position. `upstream`: the source could
   * not resume. `reset`: the position belongs to another log; stored state is no longer valid.
   */
  readonly reason: "trimmed" | "unknown" | "upstream" | "reset";
  /** The number of missing events; `null` if unknown. */
  readonly lost: number | null;
}

/** The control events that an application gets if it has no `onGap`. */
export interface GapEvents {
  readonly "spillway.gap": Gap;
  readonly "spillway.reset": Gap;
}

/** The events of a definition, with the data that its schemas return, and those that do not match it. */
export type EventsOf<Definition extends StreamDefinition> = Omit<DataOf<Definition>, keyof GapEvents>;

/** A union over the types of events, to be narrowed by `type`. */
export type EventOf<Events> = {
  [Type in keyof Events & string]: ClientEvent<Type, Events[Type]>;
}[keyof Events & string];

import type { Gap, Reset } from "./control.ts";
import type { EventSchemas, StreamDefinition } from "./definition.ts";
import type { InputOf, OutputOf } from "./standard-schema.ts";

/** What a definition says is wrong with an event. */
export interface EventIssue {
  /** `event`, `channel`, `data`, or a path into the data, such as `data.items[0].price`. */
  readonly field: string;
  readonly message: string;
}

/** An event that does not match the stream's definition. It is delivered nevertheless, in the place of the event. */
export interface InvalidEvent {
  /** The event's own type. */
  readonly event: string;
  /** The event's own data: its JSON value, or its text. */
  readonly data: unknown;
  readonly issues: readonly EventIssue[];
}

/** The data to publish, by type. */
export type InputsOf<Definition extends StreamDefinition> =
  Definition extends StreamDefinition<infer Events extends EventSchemas>
    ? { readonly [Type in keyof Events & string]: InputOf<Events[Type]> }
    : never;

/** The received data, by type: the events of the definition, and those that any stream may have. */
export type DataOf<Definition extends StreamDefinition> =
  Definition extends StreamDefinition<infer Events extends EventSchemas>
    ? { readonly [Type in keyof Events & string]: OutputOf<Events[Type]> } & ControlData
    : never;

/** The data of the events that any typed stream may have, by type. */
export interface ControlData {
  /** Events are missing here. */
  readonly "spillway.gap": Gap;
  /** The position belongs to another log: stored state is no longer valid. */
  readonly "spillway.reset": Reset;
  readonly "spillway.invalid": InvalidEvent;
}

/** The channels of a definition. */
export type ChannelOf<Definition extends StreamDefinition> =
  Definition extends StreamDefinition<EventSchemas, infer Channels>
    ? Channels extends readonly []
      ? string
      : Filled<Channels[number]>
    : never;

/** A channel's pattern with texts in the places of its parameters. */
type Filled<Pattern extends string> = Pattern extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Filled<After>}`
  : Pattern;

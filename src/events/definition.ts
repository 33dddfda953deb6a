import type { StandardSchema } from "./standard-schema.ts";

/** An event as it is stored and sent. */
export interface EventText {
  readonly event: string;
  readonly data: string;
  readonly channel?: string | null | undefined;
}

/** An event as a program gets it. */
export interface DecodedEvent {
  readonly event: string;
  readonly data: unknown;
}

/** The schemas of a stream's events, by type. */
export type EventSchemas = Readonly<Record<string, StandardSchema>>;

/** The types of a stream's events and its channels, for everyone who publishes and reads it. */
export interface StreamDefinition<
  Events extends EventSchemas = EventSchemas,
  Channels extends readonly string[] = readonly string[],
> {
  readonly name: string;
  readonly events: Events;
  /** `{name}` stands for any text. Empty: any channel. */
  readonly channels: Channels;
  /**
   * The type and the data of a received event for a program: as the schema returns it, `spillway.invalid` for an event
   * that does not match, or a control event as it is.
   */
  decode(event: EventText): Promise<DecodedEvent>;
}

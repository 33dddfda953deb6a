import type { StandardSchema } from "./standard-schema.ts";

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
}

/** What {@link defineStream} takes. */
export interface StreamShape<Events extends EventSchemas, Channels extends readonly string[]> {
  /** A schema for each type: any library that implements Standard Schema. The data of an event is a JSON value. */
  readonly events: Events;
  /** The channels, in which `{name}` stands for any text, such as `user:{id}`. Default: any channel. */
  readonly channels?: Channels;
}

/**
 * Defines the events of a stream: `defineStream("prices", { events: { trade: Trade }, channels: ["asset:{symbol}"] })`.
 * @param name the stream's name in the gateway
 */
export function defineStream<Events extends EventSchemas, const Channels extends readonly string[] = readonly []>(
  name: string,
  { events, channels }: StreamShape<Events, Channels>,
): StreamDefinition<Events, Channels> {
  return { name, events, channels: channels ?? ([] as unknown as Channels) };
}

/** Whether a value is a definition. */
export function isStreamDefinition(value: unknown): value is StreamDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, events, channels } = value as Partial<StreamDefinition>;
  if (typeof name !== "string" || typeof events !== "object" || events === null || !Array.isArray(channels))
    return false;
  return Object.values(events).every((schema: Partial<StandardSchema> | null) => schema?.["~standard"]?.version === 1);
}

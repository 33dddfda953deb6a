import { decodeEvent } from "./check.ts";
import type { EventSchemas, StreamDefinition } from "./definition.ts";
import type { StandardSchema } from "./standard-schema.ts";

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
  const definition: StreamDefinition<Events, Channels> = {
    name,
    events,
    channels: channels ?? ([] as unknown as Channels),
    decode: (event) => decodeEvent(definition, event),
  };
  return definition;
}

/** Whether a value is a definition. */
export function isStreamDefinition(value: unknown): value is StreamDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, events, channels } = value as Partial<StreamDefinition>;
  if (typeof name !== "string" || typeof events !== "object" || events === null || !Array.isArray(channels))
    return false;
  return Object.values(events).every((schema: Partial<StandardSchema> | null) => schema?.["~standard"]?.version === 1);
}

import type { StreamDefinition } from "./definition.ts";
import { dataSchemas, publishedSchema, type EventSchema, type JsonSchema } from "./json-schema.ts";

/** What an AsyncAPI document says of the API as a whole. */
export interface ApiInfo {
  readonly title: string;
  readonly version: string;
}

const schemasAt = "#/components/schemas";

/**
 * An AsyncAPI 3.0 document of a gateway's streams: what subscribers receive, and what publishers may send.
 * @throws {NoJsonSchemaError}
 */
export function describeAsyncApi(definitions: readonly StreamDefinition[], info: ApiInfo): JsonSchema {
  const streams = definitions.map((definition) => describeStream(definition));
  const merge = (part: "channels" | "operations" | "messages" | "schemas"): JsonSchema =>
    Object.assign({}, ...streams.map((stream) => stream[part])) as JsonSchema;
  return {
    asyncapi: "3.0.0",
    info,
    defaultContentType: "application/json",
    channels: merge("channels"),
    operations: merge("operations"),
    components: { messages: merge("messages"), schemas: merge("schemas") },
  };
}

function describeStream(definition: StreamDefinition) {
  const { name } = definition;
  const schemas = dataSchemas(definition, "draft-07", schemasAt);
  const received = schemas.map(({ key }) => key);
  const published = schemas.map(({ key }) => `${key}.publish`);
  const readable = ["", ...definition.channels].map((channel) => readableChannel(name, channel, received));
  const publishing = `${name}.publish`;
  return {
    channels: {
      ...Object.fromEntries(readable),
      [publishing]: { address: `/streams/${name}/events`, messages: messagesOf(published) },
    },
    operations: {
      ...Object.fromEntries(
        readable.map(([channel]) => [
          `${channel}.subscribe`,
          operation(
            "send",
            channel,
            "GET",
            "Server-Sent Events: the type is the name of the message, the data its payload.",
          ),
        ]),
      ),
      [publishing]: operation("receive", publishing, "POST", "Publishes an event, or an array of events."),
    },
    messages: Object.fromEntries(schemas.flatMap((schema) => messages(definition, schema))),
    schemas: Object.fromEntries(schemas.map(({ key, data }) => [key, data])),
  };
}

/** A channel of the stream, or the stream as a whole. Both notations have parameters in braces. */
function readableChannel(stream: string, channel: string, received: readonly string[]): [name: string, JsonSchema] {
  const parameters = Array.from(channel.matchAll(/\{([^{}]+)\}/g), ([, parameter = ""]) => [parameter, {}]);
  const found = {
    address: channel === "" ? `/streams/${stream}` : `/streams/${stream}/${channel}`,
    messages: messagesOf(received),
    ...(parameters.length > 0 && { parameters: Object.fromEntries(parameters) as JsonSchema }),
  };
  return [channel === "" ? stream : `${stream}/${channel}`, found];
}

function operation(action: "send" | "receive", channel: string, method: "GET" | "POST", summary: string): JsonSchema {
  return { action, summary, channel: { $ref: `#/channels/${pointer(channel)}` }, bindings: { http: { method } } };
}

function messagesOf(keys: readonly string[]): JsonSchema {
  return Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }]));
}

function messages(definition: StreamDefinition, { event, key }: EventSchema): [key: string, JsonSchema][] {
  const data = { $ref: `${schemasAt}/${key}` };
  return [
    [key, { name: event, payload: data }],
    [`${key}.publish`, { name: event, payload: publishedSchema(definition, event, data) }],
  ];
}

/** A name in a JSON pointer within a URI (RFC 6901 §6). */
function pointer(name: string): string {
  return encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
}

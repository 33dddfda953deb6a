import type { StreamDefinition } from "./definition.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** A JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The versions of JSON Schema that documents are made in. */
export type JsonSchemaTarget = "draft-07" | "draft-2020-12";

/** A schema of an event that has no JSON Schema. */
export class NoJsonSchemaError extends Error {
  override readonly name = "NoJsonSchemaError";
  readonly stream: string;
  readonly event: string;

  constructor(stream: string, event: string, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.stream = stream;
    this.event = event;
  }
}

/** What is published to a stream, by event type. */
export interface EventSchema {
  readonly event: string;
  /** The name of the schemas in a document, such as `prices.trade`: letters, digits, `.`, `-` and `_`. */
  readonly key: string;
  readonly data: JsonSchema;
}

/**
 * The JSON Schemas of the data that is published to a stream.
 * @param at the place of the schemas in the document, such as `#/$defs`, to which references inside them are changed
 * @throws {NoJsonSchemaError}
 */
export function dataSchemas(definition: StreamDefinition, target: JsonSchemaTarget, at: string): EventSchema[] {
  return Object.entries(definition.events).map(([event, schema]) => {
    const key = keyOf(`${definition.name}.${event}`);
    const data = { ...toJsonSchema(definition.name, event, schema, target) };
    // The document states the version once.
    delete data["$schema"];
    return { event, key, data: withReferences(data, `${at}/${key}`) as JsonSchema };
  });
}

/** The schema of an event as it is published: `{ event, data, channel }`. */
export function publishedSchema({ channels }: StreamDefinition, event: string, data: JsonSchema): JsonSchema {
  const channel =
    channels.length > 0
      ? { channel: { type: "string", anyOf: channels.map(channelSchema) } }
      : { channel: { type: "string" } };
  return {
    type: "object",
    properties: { event: { const: event }, data, ...channel, id: { type: "string" } },
    required: ["event", "data"],
    additionalProperties: false,
  };
}

/** A JSON Schema document with a schema for each stream: that of an event as it is published. */
export function describeJsonSchema(definitions: readonly StreamDefinition[]): JsonSchema {
  const defs: Record<string, JsonSchema> = {};
  for (const definition of definitions) {
    const schemas = dataSchemas(definition, "draft-2020-12", "#/$defs");
    for (const { key, data } of schemas) defs[key] = data;
    defs[definition.name] = {
      anyOf: schemas.map(({ event, key }) => publishedSchema(definition, event, { $ref: `#/$defs/${key}` })),
    };
  }
  const [only] = definitions.length === 1 ? definitions : [];
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...(only && { $ref: `#/$defs/${only.name}` }),
    $defs: defs,
  };
}

function channelSchema(channel: string): JsonSchema {
  const parts = channel.split(/\{[^{}]*\}/).map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`));
  return { pattern: `^${parts.join(".*")}$` };
}

function toJsonSchema(
  stream: string,
  event: string,
  schema: StandardSchema,
  target: JsonSchemaTarget,
): Record<string, unknown> {
  const { jsonSchema, vendor } = schema["~standard"];
  if (!jsonSchema) throw new NoJsonSchemaError(stream, event, `the schema of ${vendor} has no JSON Schema`);
  try {
    return jsonSchema.input({ target });
  } catch (cause) {
    throw new NoJsonSchemaError(stream, event, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Points the references of a schema, whose root they are relative to, to its place in the document. */
function withReferences(value: unknown, at: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withReferences(item, at));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string" && inner.startsWith("#")
        ? at + inner.slice(1)
        : withReferences(inner, at),
    ]),
  );
}

/** Replaces what the names of components in AsyncAPI must not contain. */
function keyOf(name: string): string {
  return name.replaceAll(/[^\w.-]/g, (character) => `_${character.codePointAt(0)!.toString(16)}_`);
}

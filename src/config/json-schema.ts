/**
 * The declarations of the options as JSON Schema (2020-12), for editors, the reference, and lookups of single options.
 */
import { z } from "zod";
import type { OptionMeta } from "./fields.ts";
import { configSchema } from "./server.ts";
import type { ConfigPath } from "./source.ts";

/** The subset of JSON Schema that the options use. */
export interface OptionSchema extends OptionMeta {
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: OptionSchema | boolean;
  readonly items?: OptionSchema;
  readonly anyOf?: readonly OptionSchema[];
}

let made: OptionSchema | undefined;

/** The schema of all options, with their {@link OptionMeta}. */
export function optionSchema(): OptionSchema {
  made ??= z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any", override: simplify }) as OptionSchema;
  return made;
}

/** Removes the empty defaults of sections, functions, and the requirement of `streams`, which a preset can add. */
function simplify({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.properties) delete jsonSchema.default;
  if (jsonSchema.title === "GatewayConfig") delete jsonSchema.required;
  if (jsonSchema.anyOf) jsonSchema.anyOf = jsonSchema.anyOf.filter((choice) => Object.keys(choice).length > 0);
}

/** The JSON schema of a configuration file, as text. */
export function printJsonSchema(): string {
  const internal = new Set(["tsType", "secret"] satisfies (keyof OptionMeta)[] as string[]);
  // An option may have the name of an internal key, such as `access.jwt.secret`; its value is then a schema.
  const published = (key: string, value: unknown): unknown =>
    internal.has(key) && typeof value !== "object" ? undefined : value;
  return `${JSON.stringify(optionSchema(), published, 2)}\n`;
}

/** The schemas along the path, that of the option last; `undefined` for parts of the path that lead to no option. */
export function schemasOn(path: ConfigPath): (OptionSchema | undefined)[] {
  let schema: OptionSchema | undefined = optionSchema();
  return [schema, ...path.map((part) => (schema = schema && childOf(schema, part)))];
}

/** The schema of a member of an object or an entry of a list. */
export function childOf(schema: OptionSchema, part: string | number): OptionSchema | undefined {
  const { properties, additionalProperties: named, items, anyOf } = schema;
  const own = typeof part === "number" ? items : properties && Object.hasOwn(properties, part) && properties[part];
  if (own) return own;
  if (typeof named === "object") return named;
  return anyOf?.map((choice) => childOf(choice, part)).find((child) => child !== undefined);
}

import { resolve } from "node:path";
import type { Command } from "commander";
import { SpillwayError } from "../../errors.ts";
import { describeAsyncApi } from "../../events/async-api.ts";
import type { StreamDefinition } from "../../events/definition.ts";
import { isStreamDefinition } from "../../events/define-stream.ts";
import { describeJsonSchema, NoJsonSchemaError } from "../../events/json-schema.ts";
import { loadDefinition } from "../../gateway/stream-definition.ts";
import { loadModule } from "../../transform/load.ts";
import { addConfigFlags, type ConfigFlags } from "../config-flags.ts";
import { resolveFlags } from "../resolve-flags.ts";

interface SchemaFlags extends ConfigFlags {
  readonly asyncapi?: true;
  readonly title: string;
  readonly apiVersion: string;
}

/** `spillway schema`: prints the definitions of the streams as JSON Schema or AsyncAPI. */
export function addSchema(program: Command): void {
  const command = program
    .command("schema")
    .description("print the definitions of the streams' events as JSON Schema, or as an AsyncAPI document")
    .argument("[module]", "module that exports definitions (default: those of the configuration)");
  addConfigFlags(command)
    .option("--asyncapi", "print an AsyncAPI 3.0 document instead of a JSON Schema")
    .option("--title <text>", "title of the AsyncAPI document", "Spillway")
    .option("--api-version <text>", "version that the AsyncAPI document states", "1.0.0")
    .action(async (module: string | undefined, { asyncapi, title, apiVersion, ...flags }: SchemaFlags) => {
      const definitions = module === undefined ? await configured(flags) : await exported(module);
      const document = asyncapi
        ? () => describeAsyncApi(definitions, { title, version: apiVersion })
        : () => describeJsonSchema(definitions);
      process.stdout.write(`${JSON.stringify(describe(document), null, 2)}\n`);
    });
}

async function configured(flags: ConfigFlags): Promise<StreamDefinition[]> {
  const { streams } = await resolveFlags(flags);
  const found: StreamDefinition[] = [];
  for (const [name, { definition }] of Object.entries(streams))
    if (definition !== undefined) found.push(await loadDefinition(name, definition));
  if (found.length === 0) throw none("streams", "no stream has a definition: set streams.<name>.definition");
  return found;
}

async function exported(module: string): Promise<StreamDefinition[]> {
  const found = Object.values(await loadModule(resolve(module), "module")).filter(isStreamDefinition);
  if (found.length === 0) throw none("module", `${module} exports no definition: export the result of defineStream`);
  return found;
}

function none(field: string, message: string): SpillwayError {
  return new SpillwayError("config-invalid", message, { field });
}

function describe(document: () => object): object {
  try {
    return document();
  } catch (error) {
    if (!(error instanceof NoJsonSchemaError)) throw error;
    const { stream, event, message } = error;
    const hint =
      "use a library with Standard JSON Schema: Zod 4.2, ArkType 2.1.28, or toStandardJsonSchema of @valibot/to-json-schema";
    const what = `the event "${event}" of the stream "${stream}" cannot be described: ${message}; ${hint}`;
    throw new SpillwayError("config-invalid", what, { field: `events.${event}`, cause: error });
  }
}

import type { Command } from "commander";
import { printJsonSchema } from "../../config/json-schema.ts";
import { printConfig } from "../../config/print.ts";
import { checkOptions } from "../../gateway/check-options.ts";
import { loadDefinition } from "../../gateway/stream-definition.ts";
import { loadTransform } from "../../transform/load.ts";
import { addConfigFlags, type ConfigFlags } from "../config-flags.ts";
import { resolveFlags } from "../resolve-flags.ts";

interface CheckFlags extends ConfigFlags {
  readonly schema?: true;
}

/** `spillway check`: checks the configuration and prints it fully resolved. */
export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description("check the configuration and print it fully resolved, with secrets masked");
  addConfigFlags(command)
    .option("--schema", "print the JSON schema for editors instead of the configuration")
    .action(async ({ schema, ...flags }: CheckFlags) => {
      if (schema) return void process.stdout.write(printJsonSchema());
      const options = await resolveFlags(flags);
      await checkOptions(options);
      for (const [name, { transform, definition }] of Object.entries(options.streams)) {
        if (transform) await loadTransform(transform.module, `streams.${name}.transform`);
        if (definition !== undefined) await loadDefinition(name, definition);
      }
      process.stdout.write(printConfig(options));
    });
}

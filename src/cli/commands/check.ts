import type { Command } from "commander";
import { showConfig } from "../../config/show.ts";
import { addConfigFlags, resolveFlags, type ConfigFlags } from "../config-flags.ts";

/** `spillway check`: is the configuration right, and what does it come to? */
export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description("check the configuration and print it with every default, secrets masked");
  addConfigFlags(command).action(async (flags: ConfigFlags) => {
    process.stdout.write(showConfig(await resolveFlags(flags)));
  });
}

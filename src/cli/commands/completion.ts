import { Argument, type Command } from "commander";
import { levelsOf } from "../completion/levels.ts";
import { shells } from "../completion/shells.ts";

/** `spillway completion`: prints a script that completes the commands of a program, and their flags, in a shell. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands and flags in your shell")
    .addArgument(new Argument("<shell>", "shell that reads the script").choices(Object.keys(shells)))
    .action((shell: string) => void process.stdout.write(shells[shell]!(levelsOf(program))));
}

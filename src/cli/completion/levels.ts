import type { Argument, Command, Option } from "commander";

/** What a shell can complete after a command: a row for each command of the program, and one for the program itself. */
export interface Level {
  /** The names of the commands that lead here; empty for the program itself. */
  readonly path: readonly string[];
  /** Subcommands, and the choices of the argument. */
  readonly words: readonly Word[];
  readonly flags: readonly Flag[];
  /** Whether the argument is a file. */
  readonly files: boolean;
}

export interface Word {
  readonly name: string;
  readonly description: string;
}

export interface Flag {
  readonly long: string;
  /** One letter after one dash. */
  readonly short: string | undefined;
  readonly description: string;
  /** What follows the flag. */
  readonly value: "none" | "text" | "file" | readonly string[];
}

/** The levels of a program, from commander's own declarations. */
export function levelsOf(command: Command, path: readonly string[] = []): Level[] {
  const [argument] = command.registeredArguments;
  const words = command.commands.map((sub) => ({ name: sub.name(), description: sub.description() }));
  const choices = (argument?.argChoices ?? []).map((name) => ({ name, description: argument?.description ?? "" }));
  const level: Level = {
    path,
    words: [...words, ...choices],
    flags: command.createHelp().visibleOptions(command).map(flagOf),
    files: argument !== undefined && isFile(argument.name()),
  };
  return [level, ...command.commands.flatMap((sub) => levelsOf(sub, [...path, sub.name()]))];
}

function flagOf(option: Option): Flag {
  const { long, short, description } = option;
  return { long: long ?? option.name(), short: short ?? undefined, description, value: valueOf(option) };
}

function valueOf({ required, argChoices, flags }: Option): Flag["value"] {
  if (!required) return "none";
  if (argChoices !== undefined) return argChoices;
  return isFile(/<(.*)>/.exec(flags)?.[1] ?? "") ? "file" : "text";
}

function isFile(name: ReturnType<Argument["name"]>): boolean {
  return name === "file" || name === "module";
}

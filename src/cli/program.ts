import { Command } from "commander";
import { version } from "../gateway/version.ts";

/** The commands, in the order of the help. Each is a module of its own, so that a command loads only what it uses. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import("./commands/serve.ts")).addServe,
  init: async () => (await import("./commands/init.ts")).addInit,
  check: async () => (await import("./commands/check.ts")).addCheck,
  schema: async () => (await import("./commands/schema.ts")).addSchema,
  doctor: async () => (await import("./commands/doctor.ts")).addDoctor,
  tail: async () => (await import("./commands/tail.ts")).addTail,
  publish: async () => (await import("./commands/publish.ts")).addPublish,
  deliveries: async () => (await import("./commands/deliveries.ts")).addDeliveries,
  key: async () => (await import("./commands/key.ts")).addKey,
  completion: async () => (await import("./commands/completion.ts")).addCompletion,
};

/**
 * Creates the command line parser. It throws instead of exiting.
 * @param args of the command line: only the command that they run is added, or all for the help, the completion and
 *   errors. Default: none.
 */
export async function createProgram(args: readonly string[] = []): Promise<Command> {
  const program = new Command("spillway")
    .description("A durable gateway for Server-Sent Events: one upstream connection for any number of clients.")
    .version(version)
    .showHelpAfterError("(run spillway --help for usage)")
    .exitOverride()
    // Hides the arguments in the process list, because they may contain a key.
    .hook("preAction", (_, command) => void (process.title = `spillway ${command.name()}`));
  for (const name of namesOf(args)) (await commands[name]!())(program);
  return program;
}

function namesOf([first = ""]: readonly string[]): readonly string[] {
  if (Object.hasOwn(commands, first) && first !== "completion") return [first];
  return first === "--version" || first === "-V" ? [] : Object.keys(commands);
}

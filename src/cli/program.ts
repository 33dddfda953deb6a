import { Command } from "commander";
import { version } from "../gateway/version.ts";
import { addCheck } from "./commands/check.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addKey } from "./commands/key.ts";
import { addPublish } from "./commands/publish.ts";
import { addServe } from "./commands/serve.ts";
import { addTail } from "./commands/tail.ts";

/** Creates the command line parser. It throws instead of exiting. */
export function createProgram(): Command {
  const program = new Command("spillway")
    .description("A durable gateway for Server-Sent Events: one upstream connection for any number of clients.")
    .version(version)
    .showHelpAfterError("(run spillway --help for usage)")
    .exitOverride()
    // Hides the arguments in the process list, because they may contain a key.
    .hook("preAction", (_, command) => void (process.title = `spillway ${command.name()}`));
  addServe(program);
  addCheck(program);
  addDoctor(program);
  addTail(program);
  addPublish(program);
  addKey(program);
  return program;
}

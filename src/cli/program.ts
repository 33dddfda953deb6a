import { Command } from "commander";
import { version } from "../gateway/version.ts";
import { addCheck } from "./commands/check.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addKey } from "./commands/key.ts";
import { addPublish } from "./commands/publish.ts";
import { addServe } from "./commands/serve.ts";
import { addTail } from "./commands/tail.ts";

/** The command line, ready to be parsed. It throws instead of exiting. */
export function createProgram(): Command {
  const program = new Command("spillway")
    .description("A durable gateway for Server-Sent Events: one upstream connection, everyone served.")
    .version(version)
    .showHelpAfterError("(spillway --help shows what there is)")
    .exitOverride()
    // It takes the place of the arguments in the list of processes: they may hold a key.
    .hook("preAction", (_, command) => void (process.title = `spillway ${command.name()}`));
  addServe(program);
  addCheck(program);
  addDoctor(program);
  addTail(program);
  addPublish(program);
  addKey(program);
  return program;
}

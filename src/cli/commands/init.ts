import { writeFile } from "node:fs/promises";
import { Argument, type Command } from "commander";
import { findConfig } from "../../config/load.ts";
import { SpillwayError } from "../../errors.ts";
import { starterConfigs } from "../starter-configs.ts";

/** `spillway init`: writes a commented configuration to start from. */
export function addInit(program: Command): void {
  const cases = Object.entries(starterConfigs).map(([name, { description }]) => `${name}: ${description}`);
  program
    .command("init")
    .description("write a commented configuration to start from")
    .addArgument(new Argument("<case>", cases.join("; ")).choices(Object.keys(starterConfigs)))
    .option("-o, --output <file>", "file to write (default: spillway.yaml)")
    .action(async (name: string, { output }: { readonly output?: string }) => {
      const existing = output === undefined ? findConfig(process.cwd()) : undefined;
      if (existing !== undefined) throw exists(existing);
      const file = output ?? "spillway.yaml";
      await write(file, starterConfigs[name]!.text);
      const flags = output === undefined ? "" : ` --config ${output}`;
      process.stdout.write(
        `wrote ${file}\nnext: edit it, then run spillway check${flags} and spillway serve${flags}\n`,
      );
    });
}

/** @throws {SpillwayError} `config-exists`; `config-invalid` if the file cannot be written. */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") throw exists(file);
    throw new SpillwayError("config-invalid", `cannot write ${file} (${code})`, { field: "output", cause });
  }
}

function exists(file: string): SpillwayError {
  const message = `${file} already exists, and init overwrites nothing: remove it, or choose another file with --output`;
  return new SpillwayError("config-exists", message, { field: "output", got: file });
}

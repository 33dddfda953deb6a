/** What the programs in C have in common: they are compiled for each measurement. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startProgram } from "../processes.js";

const run = promisify(execFile);

export async function missingGcc() {
  if (process.platform !== "linux") return "it needs Linux (epoll)";
  return run("gcc", ["--version"]).then(
    () => undefined,
    () => "gcc is not installed",
  );
}

export const gccVersion = async () => (await run("gcc", ["--version"])).stdout.split("\n")[0] ?? "gcc";

/**
 * Compiles a source of this benchmark and starts the program, which prints its URL.
 * @param {string} name
 * @param {readonly string[]} args
 * @param {import("../types.d.ts").StartContext} context
 */
export async function startC(name, args, { cpus, directory }) {
  const binary = join(directory, name);
  await run("gcc", ["-O2", "-o", binary, fileURLToPath(new URL(`../${name}.c`, import.meta.url))]);
  return startProgram(binary, args, { cpus, ready: (line) => /^http:\S+(?=\/$)/.exec(line)?.[0] });
}

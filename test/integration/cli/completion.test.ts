import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createProgram } from "../../../src/cli/program.ts";
import { findProgram, warnMissing } from "../../support/programs.ts";
import { eventually } from "../../support/reader.ts";
import { runCli, withDirectory } from "./cli.ts";

const folder = resolve(import.meta.dirname, "../../..");

const scripts = new Map<string, string>();

async function script(shell: string): Promise<string> {
  const known = scripts.get(shell);
  if (known !== undefined) return known;
  const { code, stdout, stderr } = await runCli(["completion", shell]);
  expect([code, stderr]).toEqual([0, ""]);
  scripts.set(shell, stdout);
  return stdout;
}

/** What bash offers for a line, whose last word is being typed. */
async function bash(words: readonly string[], cwd = folder): Promise<string[]> {
  const line = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spillway; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const program = `set -u\n${await script("bash")}\n${line}`;
  const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", program, "bash", ...words], { cwd });
  return stdout.trim().split("\n").filter(Boolean).toSorted();
}

/** What fish offers for a line. */
async function fish(line: string, cwd = folder): Promise<string[]> {
  const program = `${await script("fish")}\ncomplete -C '${line}'`;
  const { stdout } = await promisify(execFile)("fish", ["--no-config", "-c", program], { cwd });
  return stdout
    .trim()
    .split("\n")
    .map((row) => row.split("\t")[0]!)
    .toSorted();
}

/** What zsh makes of a line when the user presses the tabulator once, on a terminal. */
async function zsh(line: string, until: string): Promise<string> {
  return withDirectory(async (directory) => {
    await writeFile(join(directory, "spillway.zsh"), await script("zsh"));
    // Without the history, the files of the user and the questions of the completion.
    const setup = `PS1='> '; unsetopt beep; autoload -U compinit; compinit -u -D; source ./spillway.zsh; echo rea''dy\n`;
    const env = { PATH: process.env["PATH"], TERM: "dumb", COLUMNS: "200" };
    const child = spawn("script", ["-qec", "zsh -f -i", "/dev/null"], { cwd: directory, env });
    const closed = new Promise((done) => child.once("close", done));
    let output = "";
    child.stdout.on("data", (piece: Buffer) => (output += piece.toString()));
    try {
      child.stdin.write(setup);
      await eventually(() => output.includes("ready"), `"ready" in ${output}`);
      output = "";
      child.stdin.write(`${line}\t`);
      await eventually(() => output.includes(until), `"${until}" in ${output}`);
      return output;
    } finally {
      child.kill("SIGKILL");
      await closed;
    }
  });
}

describe("in bash", () => {
  test("every command, subcommand, flag and choice of the program is offered", async () => {
    const program = await createProgram(["completion"]);
    const names = program.commands.map((command) => command.name());
    expect(names).toContain("init");
    expect(await bash(["spillway", ""])).toEqual(expect.arrayContaining([...names, "--version", "--help"]));
    for (const command of program.commands) {
      const offered = await bash(["spillway", command.name(), ""]);
      const flags = command.options.map(({ long }) => long);
      expect(offered).toEqual(
        expect.arrayContaining([...command.commands.map((sub) => sub.name()), ...flags, "--help"]),
      );
    }
    expect(await bash(["spillway", "key", "n"])).toEqual(["new"]);
    expect(await bash(["spillway", "key", "new", "--ex"])).toEqual(["--expires"]);
    expect(await bash(["spillway", "init", ""])).toEqual(expect.arrayContaining(["feed", "publish", "route"]));
  });

  test("a flag is followed by its choices, by files, or by nothing that could be known", async () => {
    expect(await bash(["spillway", "serve", "--log-level", "d"])).toEqual(["debug"]);
    expect(await bash(["spillway", "serve", "--config", "pack"])).toEqual(["package-lock.json", "package.json"]);
    expect(await bash(["spillway", "schema", "pack"])).toEqual(["package-lock.json", "package.json"]);
    expect(await bash(["spillway", "serve", "--stream", ""])).toEqual([]);
    // "key" is the name of a stream here.
    expect(await bash(["spillway", "serve", "--stream", "key", "--por"])).toEqual(["--port"]);
  });
});

if (!findProgram("fish")) warnMissing("fish", "fish");
describe.runIf(findProgram("fish"))("in fish", () => {
  test("commands, subcommands, flags, choices and files are offered", async () => {
    expect(await fish("spillway ser")).toEqual(["serve"]);
    expect(await fish("spillway key ")).toEqual(["hash", "new"]);
    expect(await fish("spillway key new --ex")).toEqual(["--expires"]);
    expect(await fish("spillway serve --log-level d")).toContain("debug");
    expect(await fish("spillway serve --config pack")).toEqual(["package-lock.json", "package.json"]);
    expect(await fish("spillway serve --stream key --por")).toEqual(["--port"]);
  });
});

if (!findProgram("zsh")) warnMissing("zsh", "zsh");
describe.runIf(findProgram("zsh"))("in zsh", () => {
  test.for([
    ["spillway comple", "tion"],
    ["spillway key ", "read an existing key from stdin"],
    ["spillway key new --exp", "ires"],
    ["spillway serve --log-level de", "bug"],
  ] as const)("the tabulator after %s offers %s", async ([line, until]) => {
    expect(await zsh(line, until)).not.toContain("command not found");
  });
});

test("an unknown shell is wrong usage, and the message names the known ones", async () => {
  const { code, stdout, stderr } = await runCli(["completion", "tcsh"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("bash, zsh, fish");
});

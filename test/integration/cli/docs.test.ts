import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { createProgram } from "../../../src/cli/program.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../../docs/reference/cli.md"), "utf8");

test("the reference begins with every command", async () => {
  const [, list = ""] = /^```\n([^]*?)```$/m.exec(page)!;
  const program = await createProgram();
  const named = Array.from(list.matchAll(/^spillway (\w+)/gm), ([, name = ""]) => name);
  expect([...new Set(named)].toSorted()).toEqual(program.commands.map((command) => command.name()).toSorted());
});

test("the reference lists every flag of every command, and no others", async () => {
  const program = await createProgram();
  const commands = program.commands.flatMap((command) => command.commands.concat(command));
  const flags = commands.flatMap(({ options }) => options.flatMap(({ long }) => (long === undefined ? [] : [long])));
  const named = Array.from(page.matchAll(/^\|.*?\|/gm), ([cell]) => cell.match(/--[a-z-]{2,}/g) ?? []).flat();
  expect([...new Set([...named, "--log-level"])].filter((flag) => !/^--+$/.test(flag)).toSorted()).toEqual(
    [...new Set(flags)].toSorted(),
  );
});

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createProgram } from "../../../src/cli/program.ts";
import { docPages, pageText, root } from "../../support/doc-blocks.ts";

/** Commands in the text of a page, which are not run: what they name exists. Decisions tell of what there was. */
const pages = docPages().filter((page) => !page.startsWith("docs/decisions/"));

/** The words of the commands in the text of a page, without variables before them. */
function commandsOf(page: string): string[][] {
  const text = pageText(page)
    .replaceAll(/^( *)```.*\n[^]*?^\1```$/gm, "")
    .replaceAll(/\s+/g, " ");
  const spans = Array.from(text.matchAll(/`([^`]+)`/g), ([, span = ""]) => span.replace(/^(?:[A-Z_]+=\S+ )+/, ""));
  return spans.map((span) => span.replace(/^npx (?=spillway )/, "").split(" ")).filter((words) => words.length > 1);
}

/** What is wrong with a command. */
async function faultOf([program = "", ...words]: readonly string[]): Promise<string | undefined> {
  const missing = (path: string): boolean => !existsSync(join(root, path));
  if (program === "npm") {
    const [first = "", second = ""] = words;
    if (!["run", "start", "test"].includes(first)) return undefined;
    const prefix = words.includes("--prefix") ? words[words.indexOf("--prefix") + 1]! : "";
    const name = first === "run" ? second : first;
    const { scripts } = JSON.parse(readFileSync(join(root, prefix, "package.json"), "utf8")) as { scripts: object };
    return name in scripts ? undefined : `no script ${name}`;
  }
  if (program === "npx" && words[0] === "vitest")
    return words.find((word) => word.startsWith("test/") && missing(word)) && "no such test";
  if (program === "node")
    return /^(?:bench|examples)\//.test(words[0]!) && missing(words[0]!) ? "no such file" : undefined;
  if (program === "spillway" && /^[a-z]/.test(words[0]!)) return faultOfCli(words);
  return undefined;
}

async function faultOfCli([name = "", ...words]: readonly string[]): Promise<string | undefined> {
  const command = (await createProgram()).commands.find((each) => each.name() === name);
  if (command === undefined) return `no command ${name}`;
  const all = [command, ...command.commands].flatMap(({ options }) => options);
  const known = new Set(all.map(({ long }) => long));
  return words.find((word) => word.startsWith("--") && !known.has(word)) && "no such flag";
}

test("every command in a text names a script, a test, a file or a subcommand that exists", async () => {
  const faults: string[] = [];
  let count = 0;
  for (const page of pages) {
    for (const words of commandsOf(page)) {
      if (!["npm", "npx", "node", "spillway"].includes(words[0]!)) continue;
      count++;
      const fault = await faultOf(words);
      if (fault !== undefined) faults.push(`${page}: ${words.join(" ")}: ${fault}`);
    }
  }
  expect(faults).toEqual([]);
  expect(count).toBeGreaterThan(80);
});

test("every scenario of the benchmarks that a page names exists", async () => {
  const file = "../../../bench/scenarios/index.js";
  const { scenarios } = (await import(file)) as {
    scenarios: ReadonlyArray<{ readonly name: string; readonly variants: ReadonlyArray<{ readonly name: string }> }>;
  };
  const variants = scenarios.flatMap((scenario) => scenario.variants);
  const names = scenarios.map(({ name }) => name).concat(variants.map(({ name }) => name));
  const named = pages.flatMap((page) =>
    Array.from(pageText(page).matchAll(/--scenario (?:"([^"]+)"|([\w-]+))/g), ([, quoted, word]) => quoted ?? word!),
  );
  expect(named.filter((text) => !names.some((name) => name.includes(text)))).toEqual([]);
  expect(named.length).toBeGreaterThan(20);
});

import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { anchorsOf } from "../support/doc-anchors.ts";

const root = resolve(import.meta.dirname, "../..");

/** Every page of the documentation, by its path. */
async function pages(): Promise<string[]> {
  const docs = await readdir(join(root, "docs"), { recursive: true });
  const all = [...(await readdir(root)), ...docs.map((page) => join("docs", page))];
  return all.filter((page) => page.endsWith(".md")).map((page) => join(root, page));
}

test("every link inside the documentation leads to a file, and its fragment to a heading", async () => {
  const broken: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(page, "utf8");
    for (const [, link = ""] of text.matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)) {
      const [path = "", fragment] = link.split("#");
      const target = path === "" ? page : resolve(dirname(page), path);
      const found = existsSync(target);
      const known = fragment === undefined || (found && anchorsOf(await readFile(target, "utf8")).includes(fragment));
      if (!found || !known) broken.push(`${relative(root, page)}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});

test("the overview lists every page of the documentation", async () => {
  const overview = await readFile(join(root, "docs/README.md"), "utf8");
  const targets = Array.from(overview.matchAll(/\]\(([^)]+)\)/g), ([, link = ""]) => join("docs", link));
  const listed = new Set([...targets, "docs/README.md", "docs/decisions/000-template.md"]);
  const all = (await pages()).map((page) => relative(root, page));
  expect(all.filter((page) => page.startsWith("docs") && !listed.has(page))).toEqual([]);
});

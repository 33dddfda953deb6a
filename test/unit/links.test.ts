import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** Every page of the documentation, by its path. */
async function pages(): Promise<string[]> {
  const docs = await readdir(join(root, "docs"), { recursive: true });
  const all = [...(await readdir(root)), ...docs.map((page) => join("docs", page))];
  return all.filter((page) => page.endsWith(".md")).map((page) => join(root, page));
}

/** The anchors of a page: its headings, as code hosts turn them into fragments. */
function anchors(text: string): Set<string> {
  const headings = Array.from(text.matchAll(/^#+ (.+)$/gm), ([, title = ""]) => title);
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("every link inside the documentation leads to a file, and its fragment to a heading", async () => {
  const broken: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(page, "utf8");
    for (const [, link = ""] of text.matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)) {
      const [path = "", fragment] = link.split("#");
      const target = path === "" ? page : resolve(dirname(page), path);
      const found = existsSync(target);
      const known = fragment === undefined || (found && anchors(await readFile(target, "utf8")).has(fragment));
      if (!found || !known) broken.push(`${relative(root, page)}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});

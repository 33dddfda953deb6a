/** Writes the pages as Markdown beside their HTML, and `llms.txt`, which lists them. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { overview, pages, resolveLink, root, siteFile } from "./pages.js";

/** A hook of VitePress, after the build. */
export function writeMarkdown({ outDir, site: { base, description } }) {
  cpSync(join(root, "docs/images"), join(outDir, "images"), { recursive: true });
  for (const page of pages()) {
    const file = join(outDir, siteFile(page));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, withLinks(page, base));
  }
  const groups = overview();
  const lists = groups.map(({ title, items }) => {
    const lines = items.map(
      (item) => `- [${item.title}](${base}${siteFile(item.path)})${item.description && `: ${item.description}`}`,
    );
    return `## ${title}\n\n${lines.join("\n")}\n`;
  });
  writeFileSync(join(outDir, "llms.txt"), `# Spillway\n\n> ${description}\n\n${lists.join("\n")}`);
  const all = groups.filter(({ title }) => title !== "Decisions").flatMap(({ items }) => items);
  const known = new Set(pages());
  const texts = all.filter(({ path }) => known.has(path)).map(({ path }) => withLinks(path, base));
  writeFileSync(join(outDir, "llms-full.txt"), texts.join("\n\n---\n\n"));
}

/** The text of a page, with its links as they are on the site. */
function withLinks(page, base) {
  const text = readFileSync(join(root, page), "utf8");
  return text.replaceAll(/\]\(([^)\s]+)\)/g, (whole, link) => {
    const found = resolveLink(page, link);
    if (found === undefined) return whole;
    // Sources have no Markdown of their own.
    const url = found.url.startsWith("/source/") ? found.url.replace(/(index)?\.md$/, "") : found.url;
    return `](${base}${url.slice(1)}${found.fragment})`;
  });
}

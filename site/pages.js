/** Which files of the repository are pages of the site, and where each of them is. Paths are relative to the repository, with slashes. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, posix, relative, resolve, sep } from "node:path";

/** The root of the repository. */
export const root = resolve(import.meta.dirname, "..");

/** What `generate.js` writes. */
export const generated = "site/generated";

const pagesOutsideDocs = {
  "README.md": "index.md",
  "PROTOCOL.md": "protocol.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "security.md",
  "bench/README.md": "benchmarks/index.md",
  "bench/RESULTS.md": "benchmarks/results.md",
  "examples/own-store/README.md": "examples/own-store.md",
};

/** Every page that is a file of the repository. */
export function pages() {
  const docs = filesOf("docs").filter((path) => path.endsWith(".md"));
  return [...Object.keys(pagesOutsideDocs), ...docs];
}

/** Every file in a folder. */
export function filesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .toSorted();
}

/** Whether a path is a picture, of which the site has a copy under `images`. */
export function isPicture(path) {
  return /\.(?:gif|png|svg|webp)$/.test(path);
}

/** The path of a file's page on the site, with `.md`. A file that is no page, and a folder, has a page with its source. */
export function siteFile(path) {
  if (path in pagesOutsideDocs) return pagesOutsideDocs[path];
  if (path === "docs/README.md") return "overview.md";
  if (path.startsWith("docs/") && (path.endsWith(".md") || isPicture(path))) return path.slice("docs/".length);
  if (path.startsWith(`${generated}/`)) return path.slice(generated.length + 1);
  return sourceFile(path);
}

/** The page that shows a file, or lists a folder. */
export function sourceFile(path) {
  const isFolder = statSync(join(root, path)).isDirectory();
  // VitePress drops an ending ".html" of a link, and files that begin with a dot.
  const name = path.replace(/\.html$/, "_html").replaceAll(/(?<=^|\/)\./g, "_");
  return `source/${name}${isFolder ? "/index" : ""}.md`;
}

/**
 * The target of a link on the site.
 * @param from the page that contains it
 * @returns its path, which begins with a slash and ends with `.md`, and its fragment; `undefined` for a link to another site or into the
 *   same page
 */
export function resolveLink(from, link) {
  if (/^([a-z]+:|#|\/)/i.test(link)) return undefined;
  const [path, fragment] = link.split("#");
  const target = posix.join(posix.dirname(from), decodeURIComponent(path)).replace(/\/$/, "");
  return { target, url: `/${siteFile(target)}`, fragment: fragment === undefined ? "" : `#${fragment}` };
}

/** The groups of the overview, in its order: `{ title, items: [{ title, path, description }] }`. */
export function overview() {
  const page = "docs/README.md";
  const groups = [];
  for (const line of readFileSync(join(root, page), "utf8").split("\n")) {
    const [, title] = /^## (.+)$/.exec(line) ?? [];
    if (title !== undefined) groups.push({ title, items: [] });
    if (!line.startsWith("- ")) continue;
    const description = line.includes("): ") ? line.slice(line.indexOf("): ") + 3) : "";
    for (const [, name, link] of line.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)) {
      const { target } = resolveLink(page, link) ?? {};
      if (target !== undefined) groups.at(-1).items.push({ title: name, path: target, description });
    }
  }
  return groups;
}

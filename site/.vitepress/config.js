import { readFileSync } from "node:fs";
import { join } from "node:path";
import { slug } from "github-slugger";
import { defineConfig } from "vitepress";
import { writeMarkdown } from "../markdown.js";
import { generated, overview, resolveLink, root, siteFile } from "../pages.js";
import { plainEmptyHeads, themeFixes } from "../theme-fixes.js";

const readme = readFileSync(join(root, "README.md"), "utf8");
/** The claim: the first line in bold. */
const claim = /^\*\*(.+)\*\*$/m.exec(readme)[1];

/** Pages of wide tables, which have no outline beside them. */
const wide = new Set([
  "docs/comparison.md",
  "docs/reference/config.md",
  "docs/reference/errors.md",
  "bench/RESULTS.md",
]);

export default defineConfig({
  title: "Spillway",
  description: claim,
  lang: "en",
  base: process.env.SITE_BASE ?? "/",
  srcDir: "..",
  srcExclude: [
    "{bench,dashboard,deploy,src,test}/!(README.md|RESULTS.md)/**",
    "{dashboard,deploy,src,test}/**",
    "examples/!(own-store)/**",
    "site/*.md",
  ],
  outDir: "dist",
  cacheDir: ".vitepress/cache",
  cleanUrls: true,
  rewrites: siteFile,
  vite: {
    plugins: [{ name: "vue-of-this-package", enforce: "pre", resolveId: resolveVue }, themeFixes],
    // The search index is one file, loaded with the first search.
    build: { chunkSizeWarningLimit: 2_000 },
  },
  markdown: {
    anchor: { slugify: slug },
    // The default themes have too little contrast on the background of a block.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config(md) {
      md.core.ruler.push("repository-links", rewriteLinks);
      plainEmptyHeads(md);
    },
  },
  themeConfig: {
    search: { provider: "local", options: { miniSearch: { searchOptions: { combineWith: "AND", boostDocument } } } },
    outline: [2, 3],
    nav: [
      { text: "Start", link: "/guides/getting-started" },
      { text: "All pages", link: "/overview" },
      { text: "Protocol", link: "/protocol" },
      { text: "API", link: "/api/" },
      { text: "Comparison", link: "/comparison" },
      { text: "Benchmarks", link: "/benchmarks/results" },
    ],
    sidebar: overview().map(({ title, items }) => ({
      text: title,
      collapsed: title === "Decisions",
      items: items.map(({ title: text, path }) => ({ text, link: `/${siteFile(path).replace(/(index)?\.md$/, "")}` })),
    })),
    externalLinkIcon: true,
  },
  // No request for an icon.
  head: [["link", { rel: "icon", href: "data:," }]],
  transformPageData({ filePath, frontmatter }) {
    if (filePath === "README.md") return { frontmatter: home(), title: "Spillway" };
    if (wide.has(filePath)) return { frontmatter: { ...frontmatter, aside: false } };
    if (filePath.startsWith(`${generated}/source/`))
      return { frontmatter: { search: false, aside: false, source: true } };
    return undefined;
  },
  buildEnd: writeMarkdown,
});

/** How much a page counts in the search: guides come before lists of types. It runs in the browser. */
function boostDocument(id) {
  if (id.includes("/api/")) return 0.2;
  return id.includes("/decisions/") ? 0.5 : 1;
}

/** The pages are outside of this package, and import Vue from it. Only rendering on the server leaves that import to Node. */
function resolveVue(id, _importer, { ssr }) {
  return ssr && (id === "vue" || id === "vue/server-renderer") ? { id, external: true } : undefined;
}

/** Turns links between files of the repository into links between pages of the site. */
function rewriteLinks({ tokens, env }) {
  const page = (env.realPath ?? env.path).slice(root.length + 1);
  if (page.startsWith(`${generated}/`)) return;
  for (const token of tokens.flatMap(({ children }) => children ?? [])) {
    const name = token.type === "link_open" ? "href" : undefined;
    if (name === undefined) continue;
    const found = resolveLink(page, token.attrGet(name));
    if (found !== undefined) token.attrSet(name, found.url + found.fragment);
  }
}

/** The head of the home page; the README follows. The figures are those of the benchmarks. */
function home() {
  const results = readFileSync(join(root, "bench/RESULTS.md"), "utf8");
  const measured = (goal) => {
    const row = results.split("\n").find((line) => line.startsWith(`| ${goal} `));
    if (row === undefined) throw new Error(`bench/RESULTS.md has no goal "${goal}"`);
    return row.split("|")[3].trim();
  };
  return {
    layout: "home",
    hero: {
      name: "Spillway",
      text: "Server-Sent Events that survive",
      tagline: claim,
      actions: [
        { theme: "brand", text: "Start in 60 seconds", link: "/guides/getting-started" },
        { theme: "alt", text: "Guides", link: "/overview" },
        { theme: "alt", text: "Compare", link: "/comparison" },
      ],
    },
    features: [
      {
        title: `${measured("deliveries/s of a burst")} deliveries/s`,
        details: `A burst to 1,000 clients, from a log on disk, on one core: ${measured("deliveries/s of a burst, × nchan")} × nchan.`,
        link: "/benchmarks/results",
        linkText: "Measured",
      },
      {
        title: `${measured("kB per idle connection, at 10,000")} kB per client`,
        details: "Memory of an idle connection, with 10,000 of them. A slow client costs a position in the log.",
        link: "/operations/capacity",
        linkText: "Capacity",
      },
      {
        title: "Never silent",
        details:
          "Killed with kill -9 while it delivers, it loses no event and sends none twice. What is gone is announced.",
        link: "/concepts/delivery",
        linkText: "The contract",
      },
    ],
  };
}

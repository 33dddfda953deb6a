/**
 * Writes the pages that are no Markdown files of the repository: the reference of the public entry points, from their declarations in
 * `dist`, and a page for each file or folder that a page links to.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import GithubSlugger from "github-slugger";
import { Application } from "typedoc";
import { filesOf, generated, isPicture, pages, resolveLink, root, siteFile, sourceFile } from "./pages.js";

const folder = join(root, generated);
rmSync(folder, { recursive: true, force: true });
await writeReference();
writeSources();

/** A page for each entry point of the package. TypeDoc 0.28 reads declarations with the TypeScript of this package. */
async function writeReference() {
  const entries = join(folder, "entries");
  mkdirSync(entries, { recursive: true });
  const names = [];
  for (const [name, { types } = {}] of Object.entries(packageJson().exports)) {
    if (types === undefined) continue;
    const entry = name === "." ? "spillway" : basename(name);
    names.push(join(entries, `${entry}.d.ts`));
    writeFileSync(names.at(-1), `export * from "${join(root, types)}";\n`);
  }
  const compilerOptions = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const tsconfig = join(entries, "tsconfig.json");
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: names }));
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: names,
    tsconfig,
    name: "API",
    out: join(folder, "api"),
    readme: "none",
    router: "module",
    entryFileName: "index",
    hideBreadcrumbs: true,
    hidePageHeader: true,
    disableSources: true,
    disableGit: true,
    excludeExternals: true,
    excludePrivate: true,
    // Types that are no export of their own are described where they are used.
    validation: { notExported: false },
    sanitizeComments: true,
    useCodeBlocks: true,
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    typeDeclarationFormat: "table",
    logLevel: "Warn",
  });
  const project = await app.convert();
  if (project === undefined || app.logger.hasErrors())
    throw new Error("TypeDoc could not read the declarations in dist");
  await app.generateOutputs(project);
  for (const entry of names) finishReference(join(folder, "api", basename(entry).replace(".d.ts", ".md")));
  rmSync(entries, { recursive: true });
}

/**
 * The title of a page becomes the name by which programs import it. TypeDoc also numbers anchors for rows of tables, which are no headings:
 * a link to such a number leads to the heading.
 */
function finishReference(file) {
  const text = readFileSync(file, "utf8").replace(/^# (?!spillway$)(.+)/, "# spillway/$1");
  const slugger = new GithubSlugger();
  const anchors = new Set(Array.from(text.matchAll(/^#+ (.+)$/gm), ([, title]) => slugger.slug(title)));
  const linked = text.replaceAll(/\]\(#(.+?)-\d+\)/g, (whole, anchor) =>
    anchors.has(whole.slice(3, -1)) ? whole : `](#${anchor})`,
  );
  writeFileSync(file, linked);
}

function packageJson() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}

/** Pages for everything that is linked and is no page: sources, examples, files for deployment. */
function writeSources() {
  const known = new Set(pages());
  for (const page of pages()) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const { target } = resolveLink(page, link) ?? {};
      if (target === undefined || known.has(target) || isPicture(target)) continue;
      known.add(target);
      if (statSync(join(root, target)).isFile()) writeSource(target);
      else writeFolder(target, known);
    }
  }
}

/** A page that lists the files of a folder, and a page for each of them, except for sources of the library. */
function writeFolder(path, known) {
  const files = filesOf(path).filter((file) => !/(^|\/)(node_modules|dist)\//.test(file));
  const hasPages = !path.startsWith("src/");
  for (const file of files) {
    if (!hasPages || known.has(file)) continue;
    known.add(file);
    writeSource(file);
  }
  const lines = files.map((file) => {
    const name = file.slice(path.length + 1);
    return hasPages ? `- [${name}](/${siteFile(file)})` : `- \`${name}\``;
  });
  write(path, `# ${path}\n\n${lines.join("\n")}\n`);
}

function writeSource(path) {
  const text = readFileSync(join(root, path), "utf8").trimEnd();
  // Highlighting a long file takes seconds.
  const language =
    text.length > 20_000 ? "text" : extname(path).slice(1).replace("service", "ini").replace("conf", "nginx");
  // Longer than any fence in the file.
  write(path, `# ${path}\n\n\`\`\`\`\`${highlighted(language)}\n${text}\n\`\`\`\`\`\n`);
}

/** The language if the site can highlight it. */
function highlighted(language) {
  return ["js", "jsx", "ts", "tsx", "json", "yaml", "yml", "html", "css", "md", "ini", "nginx", "sh"].includes(language)
    ? language
    : "text";
}

function write(path, text) {
  const file = join(folder, sourceFile(path));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `---\nsearch: false\naside: false\n---\n\n${text}`);
}

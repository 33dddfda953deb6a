/**
 * Bundles the command line into a folder that needs no `node_modules`: `node scripts/bundle.js <folder>`, after `npm run build`. It runs with
 * Node 22 or newer, which contains SQLite. The drivers of other stores and sources are not in it.
 */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { byText, licenceText } from "./packages.js";

const root = resolve(import.meta.dirname, "..");
const folder = resolve(process.argv[2] ?? "bundle");
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));

/** What they share is in files of `cli/commands`. Other files are where those look for them. */
const programs = { "cli/main": "cli/main", "cli/worker": "cli/worker", "log/sqlite/writer": "cli/commands/writer" };
const { metafile } = await build({
  entryPoints: Object.entries(programs).map(([from, to]) => ({ in: join(root, `dist/${from}.js`), out: to })),
  outdir: join(folder, "dist"),
  bundle: true,
  splitting: true,
  chunkNames: "cli/commands/[name]-[hash]",
  platform: "node",
  format: "esm",
  target: "node22",
  minify: true,
  keepNames: true,
  legalComments: "none",
  metafile: true,
  plugins: [{ name: "version", setup: (bundler) => bundler.onLoad({ filter: /gateway\/version\.js$/ }, knownVersion) }],
  external: [...Object.keys(manifest.peerDependencies), ...Object.keys(manifest.optionalDependencies)],
  // Dependencies that are CommonJS call it.
  banner: {
    js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
  },
});
await cp(join(root, "dist/dashboard/assets"), join(folder, "dist/cli/commands/assets"), { recursive: true });
// What reads configurations in TypeScript loads its compiler from there.
await cp(join(root, "node_modules/jiti/dist/babel.cjs"), join(folder, "dist/cli/dist/babel.cjs"));
const { name, version, license, type, engines } = manifest;
await writeFile(join(folder, "package.json"), JSON.stringify({ name, version, license, type, engines, private: true }));
await writeFile(join(folder, "LICENCES.txt"), await licences(Object.keys(metafile.inputs)));

/** The version without a file beside the programs. */
function knownVersion() {
  return { contents: `export const version = ${JSON.stringify(manifest.version)};` };
}

/** The licences of everything in the bundle. */
async function licences(files) {
  const packages = files.flatMap((file) => /^(?:.*?)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);
  const texts = [...new Set(packages)].toSorted(byText).map(async (dependency) => {
    return `${dependency}\n\n${await licenceText(join(root, "node_modules", dependency))}`;
  });
  return [`${name}\n\n${await licenceText(root)}`, ...(await Promise.all(texts))].join(`\n\n${"-".repeat(80)}\n\n`);
}

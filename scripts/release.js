/**
 * Makes what a release consists of: `npm run release -- [folder] [--ignore-scripts]`, by default in `release`, and with a new build. Builds and packs the package, installs the tarball into an
 * empty folder, and writes beside it the bill of materials, the licences and the checksums of that installation. It publishes nothing.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { billOfMaterials, install, licenceTable, pack, packagesIn } from "./packages.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "ignore-scripts": { type: "boolean" } },
});
const folder = resolve(positionals[0] ?? "release");
await mkdir(folder, { recursive: true });
const { filename } = await pack(folder, { scripts: values["ignore-scripts"] !== true });
const name = filename.replace(/\.tgz$/, "");
const project = await mkdtemp(join(tmpdir(), "spillway-release-"));
try {
  await install(project, join(folder, filename));
  const packages = await packagesIn(join(project, "node_modules"));
  const files = {
    [`${name}.cdx.json`]: `${JSON.stringify(await billOfMaterials(project, packages), undefined, 2)}\n`,
    [`${name}-licences.md`]: licenceTable(packages),
  };
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  const sums = await Promise.all([filename, ...Object.keys(files)].map(checksum));
  await writeFile(join(folder, `${name}-SHA256SUMS`), sums.join(""));
  console.log(`${sums.join("")}\nPublish it with: npm publish ${join(folder, filename)}`);
} finally {
  await rm(project, { recursive: true });
}

/** A line as `sha256sum --check` reads it. */
async function checksum(file) {
  const bytes = await readFile(join(folder, file));
  return `${createHash("sha256").update(bytes).digest("hex")}  ${file}\n`;
}

/** Packing and installing the package, and what an installation consists of. */
import { execFile } from "node:child_process";
import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");

/** Packs the package as it would be published; resolves to the name of the file and its bytes. Without scripts, `dist` must be built. */
export async function pack(folder, { scripts }) {
  const flags = ["--json", "--pack-destination", folder, ...(scripts ? [] : ["--ignore-scripts"])];
  const { stdout } = await run("npm", ["pack", ...flags], { cwd: root, maxBuffer: 1e8 });
  // The scripts print before it.
  const [{ filename, size }] = JSON.parse(stdout.slice(stdout.search(/^\[$/m)));
  return { filename, size };
}

/** Installs a tarball into an empty folder, as users do; resolves to what npm printed. */
export async function install(folder, tarball) {
  await writeFile(
    join(folder, "package.json"),
    '{ "name": "project", "version": "1.0.0", "type": "module", "private": true }',
  );
  const { stdout, stderr } = await run("npm", ["install", "--no-audit", "--no-fund", tarball], { cwd: folder });
  return stdout + stderr;
}

/** The bytes of all files of a folder. */
export async function bytesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  const sizes = await Promise.all(files.map(({ parentPath, name }) => lstat(join(parentPath, name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** Every package below a `node_modules`, also bundled ones: `{ name, version, license, folder }`. */
export async function packagesIn(modules) {
  const entries = await readdir(modules, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(async ({ name }) => {
        const folder = join(modules, name);
        if (name.startsWith("@")) return packagesIn(folder);
        const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
        const { name: own, version, license } = manifest;
        return [{ name: own, version, license, folder }].concat(await packagesIn(join(folder, "node_modules")));
      }),
  );
  return found.flat();
}

/** The licences that packages of an installation may have (SPDX). */
const allowed = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT"]);

/** The order of texts. */
export function byText(a, b) {
  return a < b ? -1 : 1;
}

/** The packages and their licences as a table in Markdown. Fails for one whose licence is not allowed. */
export function licenceTable(packages) {
  const refused = packages.filter(({ license }) => !allowed.has(license));
  if (refused.length > 0) {
    const list = refused.map(({ name, license }) => `${name} (${license})`).join(", ");
    throw new Error(`licences that are not allowed: ${list}`);
  }
  const rows = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |\n`);
  return `| package | version | licence |\n| --- | --- | --- |\n${[...new Set(rows)].toSorted(byText).join("")}`;
}

/**
 * The software bill of materials of an installation (CycloneDX, JSON). It is made from what is installed: made from the lock file of this
 * repository, it lacks dependencies that a development tool also needs. Fails if a package is missing.
 */
export async function billOfMaterials(folder, packages) {
  const { stdout } = await run("npm", ["sbom", "--sbom-format", "cyclonedx"], { cwd: folder, maxBuffer: 1e8 });
  const bom = JSON.parse(stdout);
  const listed = new Set(bom.components.map(({ purl }) => decodeURIComponent(purl)));
  const missing = packages.filter(({ name, version }) => !listed.has(`pkg:npm/${name}@${version}`));
  if (missing.length > 0)
    throw new Error(`not in the bill of materials: ${missing.map(({ name }) => name).join(", ")}`);
  return bom;
}

/** The text of a package's licence; "" if it contains none. */
export async function licenceText(folder) {
  const name = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
  return name === undefined ? "" : readFile(join(folder, name), "utf8");
}

/** Packs the package as it would be published, installs it into an empty folder, and uses it there. `npm run build` first. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { bytesIn, install, packagesIn } from "../../scripts/packages.js";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
/** In MB. The SQLite driver for Node 20 takes 29 MB of an installation, for all platforms. */
const limits = { packed: 15.5, installed: 64 };
const folder = await mkdtemp(join(tmpdir(), "spillway-tarball-"));

try {
  const tarball = await release();
  await installTarball(tarball);
  await checkMaterials(tarball);
  await checkLinks(join(folder, "node_modules/spillway"));
  await serve();
  await embed();
  await quickStart(join(folder, "node_modules/spillway/README.md"));
  await bringStore();
  console.log(
    "the tarball installs without a warning, its links lead somewhere, its licences are known, and it serves",
  );
} finally {
  await rm(folder, { recursive: true });
}

/** Makes a release; resolves to its tarball. Without the scripts, which would build anew beneath whoever uses `dist`. */
async function release() {
  await run(process.execPath, [join(root, "scripts/release.js"), folder, "--ignore-scripts"], { cwd: root });
  const files = await readdir(folder);
  const sums = files.find((file) => file.endsWith("SHA256SUMS"));
  const { stdout } = await run("sha256sum", ["--check", sums], { cwd: folder });
  assert.equal(stdout.match(/: OK$/gm)?.length, 3, stdout);
  return files.find((file) => file.endsWith(".tgz"));
}

async function installTarball(tarball) {
  assert.doesNotMatch(await install(folder, `./${tarball}`), /warn/i);
  const sizes = {
    packed: (await stat(join(folder, tarball))).size / 1e6,
    installed: (await bytesIn(join(folder, "node_modules"))) / 1e6,
  };
  for (const [name, limit] of Object.entries(limits)) {
    console.log(`${name}: ${sizes[name].toFixed(1)} MB of at most ${limit} MB`);
    assert(sizes[name] <= limit, `${name} is larger than its limit`);
  }
}

/** The pages of the package. */
async function checkLinks(home) {
  const files = await readdir(home, { recursive: true });
  const pages = files.filter((page) => page.endsWith(".md") && !page.includes("node_modules"));
  assert(pages.includes("README.md") && pages.includes(join("bench", "README.md")));
  const broken = [];
  for (const page of pages) {
    const text = await readFile(join(home, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?![a-z]+:|#)([^)\s#]+)/g)) {
      if (!existsSync(resolve(home, dirname(page), link))) broken.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
}

/** The release names every package of the installation, with its licence. */
async function checkMaterials(tarball) {
  const name = join(folder, tarball.replace(/\.tgz$/, ""));
  const { bomFormat, components } = JSON.parse(await readFile(`${name}.cdx.json`, "utf8"));
  const table = await readFile(`${name}-licences.md`, "utf8");
  const packages = await packagesIn(join(folder, "node_modules"));
  assert.equal(bomFormat, "CycloneDX");
  for (const { name: dependency, version, license } of packages) {
    assert(
      components.some((part) => part.name === dependency && part.version === version),
      `no ${dependency} in the SBOM`,
    );
    assert.match(table, new RegExp(`\\| ${dependency} +\\| ${version} +\\| ${license} `));
  }
  console.log(`${packages.length} packages, all in the bill of materials and in the list of licences`);
}

/** The command line, with the default store. */
async function serve() {
  const flags = ["serve", "--stream", "chat", "--anonymous", "subscribe,publish", "--port", "0"];
  const { stdout: version } = await run("npx", ["--no-install", "spillway", "--version"], { cwd: folder });
  assert.match(version, /^\d+\.\d+\.\d+/);
  // Without npx, which passes no SIGTERM on.
  const child = spawn(join(folder, "node_modules/.bin/spillway"), flags, {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((done) => child.once("exit", (code) => done(code)));
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    if (output.includes('"listening"')) break;
  }
  const [, url] = /"address":"([^"]+)"/.exec(output) ?? [];
  assert(url, `no address in ${output}`);
  const published = await run(join(folder, "node_modules/.bin/spillway"), [
    "publish",
    `${url}/streams/chat`,
    "--data",
    "hello",
  ]);
  assert.match(published.stdout, /^\S+\.1\n$/);
  const page = await fetch(`${url}/streams/chat?after=earliest`, { headers: { accept: "application/json" } });
  assert.equal((await page.json()).events[0].data, "hello");
  child.kill("SIGTERM");
  assert.equal(await exited, 0);
}

/** The library. */
async function embed() {
  const program = `
    import { createGateway } from "spillway";
    const gateway = await createGateway({ store: "sqlite:./embedded.db", streams: { orders: {} } });
    console.log((await gateway.publish("orders", { data: "x" })).length);
    await gateway.close();`;
  await writeFile(join(folder, "embed.js"), program);
  const { stdout } = await run(process.execPath, ["embed.js"], { cwd: folder });
  assert.equal(stdout, "1\n");
}

/** The program of the README, on a free port. */
async function quickStart(readme) {
  const text = await readFile(readme, "utf8");
  const [, program] = /^```js\n(\/\/ an ES module: app\.mjs.*?)^```$/ms.exec(text) ?? [];
  assert(program?.includes("streams: {"), "the README has no program");
  await writeFile(join(folder, "app.mjs"), program.replace("streams: {", "listen: 0, streams: {"));
  const child = spawn(process.execPath, ["app.mjs"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    if (output.includes("tea")) break;
  }
  child.kill();
  assert.match(output, /^\w+\.1 \{"item":"tea"\}$/m);
}

/** A store of the program's own: the example, and what it imports from `spillway/log`. */
async function bringStore() {
  const program = `
    import { createGateway } from "spillway";
    import { matches } from "spillway/log";
    import { describeLogStore } from "spillway/testing";
    import { createArrayStore } from "./node_modules/spillway/examples/own-store/array-store.js";
    const gateway = await createGateway({ store: createArrayStore(), streams: { orders: {} } });
    console.log((await gateway.publish("orders", { data: "x" })).length, typeof matches, typeof describeLogStore);
    await gateway.close();`;
  await writeFile(join(folder, "store.js"), program);
  const { stdout } = await run(process.execPath, ["store.js"], { cwd: folder });
  assert.equal(stdout, "1 function function\n");
}

/** Packs the package as it would be published, installs it into an empty folder, and uses it there. `npm run build` first. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
/** In `docs`; links to sources, like CONTRIBUTING.md. */
const contributorGuide = join("guides", "add-an-engine.md");
const folder = await mkdtemp(join(tmpdir(), "spillway-tarball-"));

try {
  await install();
  await checkLinks(join(folder, "node_modules/spillway"));
  await serve();
  await embed();
  await bringStore();
  console.log("the tarball installs without a warning, its links lead somewhere, and it serves");
} finally {
  await rm(folder, { recursive: true });
}

/** Without the scripts, which would build anew beneath whoever uses `dist`. */
async function install() {
  const packed = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: root });
  const [{ filename, size }] = JSON.parse(packed.stdout);
  console.log(`${filename}: ${(size / 1e6).toFixed(1)} MB`);
  await writeFile(join(folder, "package.json"), '{ "type": "module", "private": true }');
  const { stdout, stderr } = await run("npm", ["install", "--no-audit", "--no-fund", `./${filename}`], { cwd: folder });
  assert.doesNotMatch(stdout + stderr, /warn/i);
}

/** The pages that users read; those for contributors lead to sources. */
async function checkLinks(home) {
  const docs = await readdir(join(home, "docs"), { recursive: true });
  const pages = [
    "README.md",
    "PROTOCOL.md",
    ...docs.filter((page) => page.endsWith(".md") && page !== contributorGuide).map((page) => join("docs", page)),
  ];
  const broken = [];
  for (const page of pages) {
    const text = await readFile(join(home, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?![a-z]+:|#)([^)\s#]+)/g)) {
      if (!existsSync(resolve(home, dirname(page), link))) broken.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
}

/** The command line, with the default store. */
async function serve() {
  const flags = ["serve", "--stream", "chat", "--anonymous", "subscribe,publish", "--port", "0"];
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

/**
 * Makes a Next.js application of the blocks in docs/guides/embed-in-node.md, and runs it by `next build` and `next start`, and by `next dev`.
 * Needs `npm ci` here, and `npm run build` above.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../../..");
const next = join(import.meta.dirname, "node_modules/.bin/next");
/** Without a source: it is needed from the first request on. */
const buildEnv = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
const env = { ...buildEnv, SOURCE_URL: "http://127.0.0.1:1/events" };

const linked = join(import.meta.dirname, "node_modules/spillway");
await rm(linked, { force: true });
await symlink(root, linked);
// Below this folder, so that its packages are found.
const app = await mkdtemp(join(import.meta.dirname, ".app-"));
try {
  await writeApp();
  await promisify(execFile)(next, ["build"], { cwd: app, env: buildEnv });
  assert(!existsSync(join(app, "events.db")), "next build has opened the log");
  await check("start", async () => {});
  await check("dev", changeConfiguration);
  console.log("the application of the guide builds, and its routes share one gateway under next start and next dev");
} finally {
  await rm(app, { recursive: true });
  await rm(linked);
}

/** Every block of the guide that begins with the name of its file, and what a page needs. */
async function writeApp() {
  const guide = await readFile(join(root, "docs/guides/embed-in-node.md"), "utf8");
  const blocks = Array.from(guide.matchAll(/^```js\n\/\/ (\S+\.m?js)\n([^]*?)^```$/gm), ([, file, text]) => [
    file,
    text,
  ]);
  assert.deepEqual(blocks.map(([file]) => file).toSorted(), [
    "app/live/[...path]/route.js",
    "app/orders/route.js",
    "lib/gateway.js",
    "next.config.mjs",
  ]);
  blocks.push(["app/layout.js", 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;']);
  blocks.push(["app/page.js", "export default () => <main>orders</main>;"]);
  for (const [file, text] of blocks) {
    await mkdir(dirname(join(app, file)), { recursive: true });
    await writeFile(join(app, file), text);
  }
}

/** Subscribes through one route, publishes through another, and ends the server. */
async function check(mode, during) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(next, [mode, "-p", String(port), "-H", "127.0.0.1"], { cwd: app, env, detached: true });
  const ended = new Promise((done) => server.once("close", done));
  let output = "";
  for (const channel of [server.stdout, server.stderr]) channel.on("data", (piece) => (output += piece));
  try {
    await until(
      () => output.includes("Ready"),
      () => output,
    );
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert(!existsSync(join(app, "events.db")), "the log was opened before its first use");
    const stream = await fetch(`${url}/live/streams/orders`);
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    const published = await fetch(`${url}/orders`, { method: "POST", body: JSON.stringify({ item: "tea" }) });
    const { id } = await published.json();
    let text = "";
    while (!text.includes(`id: ${id}\nevent: created\ndata: {"item":"tea"}\n`)) {
      const { value, done } = await reader.read();
      assert(!done, `the stream ended: ${text}`);
      text += value;
    }
    await during(url);
    await reader.cancel();
    assert.doesNotMatch(output, /unhandled|Error:/i);
  } catch (error) {
    console.error(output);
    throw error;
  } finally {
    process.kill(-(server.pid ?? 0), "SIGKILL");
    await ended;
    await rm(join(app, "events.db"), { force: true });
  }
}

/** A stream more in the module is there without a restart. */
async function changeConfiguration(url) {
  const file = join(app, "lib/gateway.js");
  await writeFile(file, (await readFile(file, "utf8")).replace("orders: {}", "orders: {}, more: {}"));
  let list = "";
  await until(
    async () => {
      list = await (await fetch(`${url}/live/streams`)).text();
      return list.includes('"more"');
    },
    () => list,
  );
}

/** Waits two minutes at most. */
async function until(condition, explain) {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return;
    await sleep(200);
  }
  throw new Error(`waited in vain: ${explain()}`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

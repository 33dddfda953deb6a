import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { root } from "../support/doc-blocks.ts";
import { eventually } from "../support/reader.ts";

const run = promisify(execFile);
/** Node 20 has no SQLite, and the bundle has no driver. */
const hasSqlite = Number(process.versions.node.split(".")[0]) >= 22;

let folder: string;
let main: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-bundle-"));
  main = join(folder, "bundle/dist/cli/main.js");
  await run(process.execPath, [join(root, "scripts/bundle.js"), join(folder, "bundle")]);
});

afterAll(() => rm(folder, { recursive: true }));

/** The last line that a command prints, without a `node_modules` anywhere above it. */
async function spillway(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [main, ...args], { cwd: folder });
  return stdout;
}

test("the bundle is a few megabytes in a folder of its own, with the licences of what it contains", () => {
  const files = readdirSync(join(folder, "bundle"), { recursive: true, encoding: "utf8" });
  const sizes = files.map((file) => statSync(join(folder, "bundle", file))).filter((file) => file.isFile());
  expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(6_000_000);
  expect(files.some((file) => file.includes("node_modules"))).toBe(false);
  const licences = readFileSync(join(folder, "bundle/LICENCES.txt"), "utf8");
  for (const name of ["spillway", "undici", "zod", "pino", "jose", "commander"]) {
    expect(licences).toMatch(new RegExp(`^${name}\n\n[^]{0,300}(?:Licen[cs]e|Copyright)`, "im"));
  }
});

test("the bundle serves: workers, the log, the dashboard", async () => {
  const store = hasSqlite ? ["--store", "sqlite:./bundle.db", "--workers", "2"] : ["--store", "memory"];
  const flags = ["serve", "--stream", "chat", "--anonymous", "subscribe,publish,admin", "--port", "0", ...store];
  const child = spawn(process.execPath, [main, ...flags], { cwd: folder });
  const exited = new Promise((done) => child.once("exit", done));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (output += piece.toString()));
  await eventually(() => output.includes('"listening"'), `"listening" in ${output}`);
  const url = /"address":"([^"]+)"/.exec(output)![1]!;
  expect(await spillway("publish", `${url}/streams/chat`, "--data", "hello")).toMatch(/^\S+\.1\n$/);
  const page = await fetch(`${url}/streams/chat?after=earliest`, { headers: { accept: "application/json" } });
  expect(await page.json()).toMatchObject({ events: [{ data: "hello" }] });
  expect((await fetch(`${url}/dashboard/`)).status).toBe(200);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});

test("the bundle reads configurations in TypeScript, and names a driver that it lacks", async () => {
  await writeFile(join(folder, "spillway.config.ts"), "export default { streams: { chat: {} } as object };\n");
  expect(await spillway("check")).toContain("chat:");
  expect(await spillway("--version")).toBe(
    `${(JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version}\n`,
  );
  const failed = spillway("serve", "--stream", "chat", "--store", "redis://127.0.0.1");
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining("driver-missing") });
});

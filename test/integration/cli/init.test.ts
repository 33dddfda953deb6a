import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli, startServe, withDirectory } from "./cli.ts";

const cases = ["feed", "publish", "route"];
const variables = {
  SOURCE_URL: "http://127.0.0.1:9/events",
  SOURCE_TOKEN: "t",
  WEBHOOK_SECRET: "a-secret-of-the-test",
};

test.for(cases)("init %s writes a configuration that check accepts, as it is and with every option in it", (name) =>
  withDirectory(async (cwd) => {
    const { code, stdout, stderr } = await runCli(["init", name], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("wrote spillway.yaml");
    expect(await runCli(["check"], { cwd })).toMatchObject({ code: 0, stderr: "" });

    const file = join(cwd, "spillway.yaml");
    const text = await readFile(file, "utf8");
    const all = text.replaceAll(/^( *)#(?=\S)/gm, "$1");
    expect(all).not.toBe(text);
    await writeFile(file, all);
    expect(await runCli(["check"], { cwd, env: variables })).toMatchObject({ code: 0, stderr: "" });
  }),
);

test("what init publish writes serves a stream that can be published to", () =>
  withDirectory(async (cwd) => {
    await runCli(["init", "publish"], { cwd });
    const cli = await startServe([], { cwd });
    const published = await runCli(["publish", `${cli.url}/streams/events`, "--data", "hello"], { cwd });
    expect(published).toMatchObject({ code: 0, stderr: "" });
    cli.child.kill("SIGTERM");
    expect(await cli.result).toMatchObject({ code: 0 });
  }));

test("init overwrites no file, and does not write beside another configuration", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "spillway.json"), "{}");
    const beside = await runCli(["init", "feed"], { cwd });
    expect([beside.code, beside.stdout]).toEqual([1, ""]);
    expect(beside.stderr).toMatch(/^spillway: config-exists: spillway\.json already exists, .*--output/);
    const over = await runCli(["init", "feed", "--output", "spillway.json"], { cwd });
    expect([over.code, over.stderr.slice(0, 24)]).toEqual([1, "spillway: config-exists:"]);
    expect(await readFile(join(cwd, "spillway.json"), "utf8")).toBe("{}");
    expect(await runCli(["init", "feed", "-o", "feed.yaml"], { cwd })).toMatchObject({ code: 0, stderr: "" });
    expect(await runCli(["check", "--config", "feed.yaml"], { cwd })).toMatchObject({ code: 0 });
    const nowhere = await runCli(["init", "feed", "-o", "missing/feed.yaml"], { cwd });
    expect([nowhere.code, nowhere.stderr]).toEqual([
      1,
      "spillway: config-invalid: cannot write missing/feed.yaml (ENOENT)\n",
    ]);
  }));

test("a case that does not exist is wrong usage, and the message names those that do", async () => {
  const { code, stderr } = await runCli(["init", "feeds"]);
  expect(code).toBe(2);
  for (const name of cases) expect(stderr).toContain(name);
});

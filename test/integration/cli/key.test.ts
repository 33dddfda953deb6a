import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { hashKey } from "../../../src/access/keys.ts";
import { accessSchema } from "../../../src/config/access.ts";
import { runCli, startServe, withDirectory } from "./cli.ts";

/** The key and its printed configuration. */
function readOutput(stdout: string): { key: string; section: string } {
  const [key = "", empty, ...rest] = stdout.split("\n");
  expect(empty).toBe("");
  return { key, section: rest.join("\n") };
}

test("key new prints only the key on the first line, then the section that enables it", async () => {
  const { code, stdout, stderr } = await runCli(["key", "new", "--name", "web", "--streams", "prices"]);
  expect([code, stderr]).toEqual([0, ""]);
  const { key, section } = readOutput(stdout);
  expect(key).toMatch(/^spw_[\w-]{43}$/);
  expect(section).not.toContain(key.slice(4));
  const { access } = parse(section) as { access: object };
  expect(access).toEqual({ keys: [{ name: "web", hash: hashKey(key), can: ["subscribe"], streams: ["prices"] }] });
});

test("every flag is in the section, and patterns stay unchanged", async () => {
  const flags = [
    "--can",
    "publish,subscribe",
    "--streams",
    "*",
    "--channels",
    "user:*,{a: b}",
    "--events",
    "#x",
    "--expires",
    "90d",
  ];
  const { stdout } = await runCli(["key", "new", "--name", "web", ...flags]);
  const { access } = parse(readOutput(stdout).section) as { access: { keys: [{ expires: string }] } };
  const [key] = accessSchema.parse(access).keys;
  expect(key).toMatchObject({
    grant: { can: ["publish", "subscribe"], streams: ["*"], channels: ["user:*", "{a: b}"], events: ["#x"] },
    expiresAt: Date.parse(access.keys[0].expires),
  });
  const days = (Date.parse(access.keys[0].expires) - Date.now()) / 86_400_000;
  expect(Math.ceil(days)).toBe(90);
});

test("check accepts a configuration with the section, and does not show the hash", () =>
  withDirectory(async (cwd) => {
    const { stdout } = await runCli(["key", "new", "--name", "web", "--expires", "2099-01-31T09:00:00+01:00"]);
    const { key, section } = readOutput(stdout);
    await writeFile(join(cwd, "spillway.yaml"), `streams: { prices: {} }\n${section}`);
    const checked = await runCli(["check"], { cwd });
    expect([checked.code, checked.stderr]).toEqual([0, ""]);
    expect(checked.stdout).toContain("2099-01-31T08:00:00.000Z");
    expect(checked.stdout).not.toContain(hashKey(key).slice(7));
  }));

test("two keys are different", async () => {
  const made = await Promise.all([1, 2].map(() => runCli(["key", "new", "--name", "web"])));
  expect(new Set(made.map(({ stdout }) => readOutput(stdout).key)).size).toBe(2);
});

test.each([
  [[]],
  [["--name", "two words"]],
  [["--name", "a", "--can", "fly"]],
  [["--name", "a", "--can", ""]],
  [["--name", "a", "--streams", ","]],
  [["--name", "a", "--expires", "soon"]],
  [["--name", "a", "--expires", "2020-01-01"]],
  [["--name", "a", "--expires", "2099-01-01T00:00:00"]],
  [["--name", "a", "--expires", "0s"]],
])("wrong usage creates no key: %o", async (flags) => {
  const { code, stdout } = await runCli(["key", "new", ...flags]);
  expect([code, stdout]).toEqual([2, ""]);
});

const uuid = "0b0f6f0e-6c1f-4f3e-9a54-0d8f3f1f7d11";

test.each([uuid, `${uuid}\n`, `${uuid}\r\n`])(
  "key hash reads a key from stdin, without the line ending: %j",
  async (input) => {
    const { code, stdout, stderr } = await runCli(["key", "hash", "--name", "web", "--can", "publish"], { input });
    expect([code, stderr]).toEqual([0, ""]);
    expect(parse(stdout)).toEqual({ access: { keys: [{ name: "web", hash: hashKey(uuid), can: ["publish"] }] } });
  },
);

test.each(["hunter2", "aaaaaaaaaaaaaaaaaaaa"])(
  "key hash warns about a key that can be guessed, and hashes it slowly: %s",
  async (weak) => {
    const { code, stdout, stderr } = await runCli(["key", "hash", "--name", "web"], { input: weak });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: .*can be guessed/);
    expect(stdout + stderr).not.toContain(weak);
    const [key] = accessSchema.parse((parse(stdout) as { access: object }).access).keys;
    expect(key!.hash).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$/);
  },
);

test.each(["", "\n", "two words", "a\nb", "é"])(
  "key hash only accepts one line of visible characters: %j",
  async (input) => {
    const { code, stdout, stderr } = await runCli(["key", "hash", "--name", "web"], { input });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("request-invalid");
  },
);

test("key hash does not accept a key as an argument", async () => {
  const { code, stdout, stderr } = await runCli(["key", "hash", "--name", "web", uuid]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).not.toContain(uuid);
});

test("the first request with a key that can be guessed logs one warning, without the key", () =>
  withDirectory(async (cwd) => {
    const { stdout: section } = await runCli(["key", "hash", "--name", "web"], { input: "hunter2" });
    await writeFile(join(cwd, "spillway.yaml"), `streams: { prices: {} }\nstore: "memory:"\n${section}`);
    const serve = await startServe([], { cwd });
    const request = { headers: { "x-api-key": "hunter2" } };
    for (let n = 0; n < 2; n++) expect((await fetch(`${serve.url}/streams`, request)).status).toBe(200);
    serve.child.kill("SIGTERM");
    const { stdout, stderr } = await serve.result;
    expect(stdout.match(/the API key has fewer than 16 characters/g)).toHaveLength(1);
    expect(stdout).toContain('"subject":"key:web"');
    expect(stdout + stderr).not.toContain("hunter2");
  }));

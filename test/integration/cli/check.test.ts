import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { runCli, withDirectory } from "./cli.ts";

const secret = "hunter2";

test("check prints the resolved configuration without its secrets", () =>
  withDirectory(async (cwd) => {
    const yaml = `
streams:
  prices:
    upstream:
      url: https://source.example/events?api-key=\${KEY}
      headers: { authorization: "Bearer \${KEY}" }
`;
    await writeFile(join(cwd, "spillway.yaml"), yaml);
    await writeFile(join(cwd, ".env"), `KEY=${secret}\n`);
    const { code, stdout, stderr } = await runCli(["check"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("url: https://source.example/events?api-key=***");
    expect(stdout).toContain("listen: 127.0.0.1:8080");
    expect(stdout).not.toContain(secret);
  }));

test("check lists every error with its place and exits with 1", () =>
  withDirectory(async (cwd) => {
    const yaml = `drian: 1s\nstreams:\n  a:\n    upstream: { url: "${secret}", proxy: "$\{NOPE}" }\n    idz: gateway\n`;
    await writeFile(join(cwd, "other.yaml"), yaml);
    const { code, stdout, stderr } = await runCli(["check", "--config", "other.yaml"], { cwd });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "spillway: config-invalid",
      "  other.yaml:4:40: streams.a.upstream.proxy: the environment variable NOPE is not set",
      "  other.yaml:4:22: streams.a.upstream.url: expected an http:// or https:// URL, got a string (not shown)",
      '  other.yaml:5:5: streams.a.idz: unknown key; did you mean "ids"?',
      '  other.yaml:1:1: drian: unknown key; did you mean "drain"?',
    ]);
  }));

test("flags and their variables win over the file", () =>
  withDirectory(async (cwd) => {
    await writeFile(
      join(cwd, "spillway.json"),
      '{"listen": "0.0.0.0:80", "streams": {"prices": {"upstream": {"url": "http://a"}}}}',
    );
    const args = [
      "check",
      "-c",
      "spillway.json",
      "--port",
      "81",
      "--anonymous",
      "subscribe,admin",
      "--upstream",
      "http://b/?k=v",
    ];
    const { stdout, stderr } = await runCli([...args, "--resume-param", "last-id"], {
      cwd,
      env: { SPILLWAY_STORE: "memory:" },
    });
    expect(stderr).toBe("");
    for (const line of [
      "listen: 0.0.0.0:81",
      'store: "memory:"',
      "    - admin",
      "url: http://b/?k=***",
      "query: last-id",
    ]) {
      expect(stdout).toContain(line);
    }
    expect(stdout).toContain("default: prices");
  }));

test("a wrong flag is named in the place of the file", async () => {
  const { code, stderr } = await runCli(["check", "--stream", "a", "--ids", "mine"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    'spillway: config-invalid: --ids: streams.a.ids: expected one of gateway, upstream, got "mine"\n',
  );
});

test("the surflux preset is checked by its variables", async () => {
  const env = { SURFLUX_API_URL: "https://api.surflux.example", SURFLUX_API_KEY: secret };
  const good = await runCli(["check", "--preset", "surflux"], { env });
  expect(good.stdout).toContain("url: https://api.surflux.example/events?api-key=***");
  expect(good.stdout).not.toContain(secret);
  const bad = await runCli(["check", "--preset", "surflux"]);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/SURFLUX_API_URL: .*\n.*SURFLUX_API_KEY: /);
});

test("wrong usage exits with 2, help and version with 0", async () => {
  expect((await runCli(["chekc"])).code).toBe(2);
  expect((await runCli(["check", "--no-such-flag"])).code).toBe(2);
  expect((await runCli(["serve", "--listen", ":1", "--port", "1"])).code).toBe(2);
  expect((await runCli(["--help"])).code).toBe(0);
  const manifest = await readFile(resolve(import.meta.dirname, "../../../package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

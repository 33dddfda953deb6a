import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
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

test("check lists every error with its position and exits with 1", () =>
  withDirectory(async (cwd) => {
    const yaml = `drian: 1s\nstreams:\n  a:\n    upstream: { url: "${secret}", proxy: "$\{NOPE}" }\n    idz: gateway\n`;
    await writeFile(join(cwd, "other.yaml"), yaml);
    const { code, stdout, stderr } = await runCli(["check", "--config", "other.yaml"], { cwd });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "spillway: config-invalid",
      "  other.yaml:4:40: streams.a.upstream.proxy: the environment variable NOPE is not set",
      "  other.yaml:4:22: streams.a.upstream.url: expected a URL that begins with http://, https://, ws://, wss://, redis://, rediss://, mqtt://, mqtts://, amqp://, amqps://, got a string (not shown)",
      '  other.yaml:5:5: streams.a.idz: unknown key; did you mean "ids"?',
      '  other.yaml:1:1: drian: unknown key; did you mean "drain"?',
    ]);
  }));

test("flags and their variables take precedence over the file", () =>
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

test("an error in a flag names the flag instead of the file", async () => {
  const { code, stderr } = await runCli(["check", "--stream", "a", "--ids", "mine"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    'spillway: config-invalid: --ids: streams.a.ids: expected one of gateway, upstream, got "mine"\n',
  );
});

test("a misspelt choice gets a suggestion and causes no further errors", async () => {
  for (const [flag, value, meant] of [
    ["--preset", "sufrlux", "surflux"],
    ["--ids", "gatway", "gateway"],
  ] as const) {
    const { code, stderr } = await runCli(["check", flag, value, ...(flag === "--preset" ? [] : ["--stream", "a"])]);
    expect([code, stderr.trimEnd().split("\n")]).toEqual([1, [expect.stringContaining(`; did you mean "${meant}"?`)]]);
  }
});

test("a URL without a scheme is reported with the correct form and without its secrets", async () => {
  const written = `me:${secret}@source.example:8443/events?api-key=${secret}`;
  const host = "***@source.example:8443/events?api-key=***";
  const { stderr } = await runCli(["check", "--upstream", "${URL_OF_SOURCE}"], { env: { URL_OF_SOURCE: written } });
  expect(stderr).toContain(`got "${host}", which has no scheme; write https://${host}\n`);
  const tail = await runCli(["tail", written]);
  expect(tail.stderr).toContain(`got "${host}", which has no scheme; write https://${host}\n`);
  expect(stderr + tail.stderr).not.toContain(secret);
  expect((await runCli(["check", "--upstream", secret])).stderr).toContain("got a string (not shown)\n");
});

test("a variable in a flag is read from .env, and a missing one is reported with its flag", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, ".env"), `SOURCE_URL=https://source.example/events?api-key=${secret}\n`);
    const good = await runCli(["check", "--upstream", "${SOURCE_URL}"], { cwd });
    expect(good.stdout).toContain("url: https://source.example/events?api-key=***");
    const { stderr } = await runCli(["check", "--upstream", "${SOURCE}"], { cwd });
    expect(stderr).toBe(
      "spillway: config-invalid: --upstream: streams.events.upstream.url: the environment variable SOURCE is not set\n",
    );
  }));

test("the memory store can be given without a colon", async () => {
  expect((await runCli(["check", "--stream", "a", "--store", "memory"])).stdout).toContain('store: "memory:"');
});

test("check validates the variables of the surflux preset", async () => {
  const env = { SURFLUX_API_URL: "https://api.surflux.example", SURFLUX_API_KEY: secret };
  const good = await runCli(["check", "--preset", "surflux"], { env });
  expect(good.stdout).toContain("url: https://api.surflux.example/events?api-key=***");
  expect(good.stdout).not.toContain(secret);
  const bare = await runCli(["check", "--preset", "surflux"], {
    env: { ...env, SURFLUX_API_URL: "api.surflux.example" },
  });
  expect(bare.stderr).toContain(
    'got "api.surflux.example/", which has no scheme; write https://api.surflux.example/\n',
  );
  const bad = await runCli(["check", "--preset", "surflux"]);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/SURFLUX_API_URL: .*\n.*SURFLUX_API_KEY: /);
});

test("wrong usage exits with 2, help and version exit with 0", async () => {
  expect((await runCli(["chekc"])).code).toBe(2);
  expect((await runCli(["check", "--no-such-flag"])).code).toBe(2);
  expect((await runCli(["serve", "--listen", ":1", "--port", "1"])).code).toBe(2);
  expect((await runCli(["--help"])).code).toBe(0);
  const manifest = await readFile(resolve(import.meta.dirname, "../../../package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("check --schema prints the JSON schema that is in the package", async () => {
  const { code, stdout } = await runCli(["check", "--schema"]);
  expect(code).toBe(0);
  expect(stdout).toBe(readFileSync(createRequire(import.meta.url).resolve("spillway/config.schema.json"), "utf8"));
  const { properties } = JSON.parse(stdout) as { properties: { limits: { properties: { outbox: object } } } };
  expect(properties.limits.properties.outbox).toEqual({
    description:
      "Unsent bytes held for one subscriber; beyond it the subscriber is served from the log at its own pace.",
    default: "256KiB",
    type: ["string", "number"],
  });
});

test("check names the stream of a transform that cannot be loaded", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "map.ts"), "export const map = 1;");
    await writeFile(join(cwd, "spillway.yaml"), "streams: { s: { transform: ./map.ts } }");
    const { code, stderr } = await runCli(["check"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("streams.s.transform");
    expect(stderr).toContain("map.ts: expected a function as default export, got none");
  }));

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/config/issues.ts";
import { configNames, findConfig, loadConfig } from "../../../src/config/load.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { GatewayOptions } from "../../../src/gateway/options.ts";

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "spillway-config-"));
});

afterEach(() => rmSync(cwd, { recursive: true }));

function write(name: string, content: string): void {
  writeFileSync(join(cwd, name), content);
}

async function load(env: Record<string, string> = {}, path?: string): Promise<GatewayOptions> {
  const { input, source } = await loadConfig({ cwd, env, path });
  return resolveConfig(input, source);
}

async function failure(env: Record<string, string> = {}, path?: string): Promise<SpillwayError> {
  const error: unknown = await load(env, path).catch((caught: unknown) => caught);
  if (error instanceof SpillwayError) return error;
  throw new Error("no SpillwayError was thrown", { cause: error });
}

describe("a configuration file", () => {
  test.each([
    ["spillway.yaml", "drain: 7s\nstreams:\n  a: {}\n"],
    ["spillway.json", '{\n\t"drain": "7s",\n\t"streams": { "a": {} }\n}'],
    ["spillway.config.ts", 'const drain: string = "7s";\nexport default { drain, streams: { a: {} } };'],
    ["spillway.config.js", 'export default () => ({ drain: "7s", streams: { a: {} } });'],
    ["spillway.config.mjs", "export default async ({ env }) => ({ drain: env.DRAIN, streams: { a: {} } });"],
  ])("%s is read", async (name, content) => {
    write(name, content);
    expect((await load({ DRAIN: "7s" })).drain).toBe(7_000);
  });

  test("the first of the default names is used", () => {
    expect(findConfig(cwd)).toBeUndefined();
    for (const name of configNames.toReversed()) {
      write(name, "");
      expect(findConfig(cwd)).toBe(name);
    }
  });

  test("a missing one is named", async () => {
    expect(await failure()).toMatchObject({ code: "config-not-found" });
    const error = await failure({}, "other.yaml");
    expect(error).toMatchObject({ code: "config-not-found" });
    expect(error.message).toContain("other.yaml");
  });

  test("an unreadable one is an error", async () => {
    expect((await failure({}, ".")).message).toContain("EISDIR");
  });

  test.each(["memory", "memory:", '"memory:"', "memory: # for a test"])(
    "`store: %s` is the memory store, and what follows keeps its position",
    async (store) => {
      write("spillway.yaml", `store: ${store}\nstreams: { a: {} }\n`);
      expect((await load()).store).toBe("memory:");
      write("spillway.yaml", `store: ${store}\nstreams: { a: { ids: mine } }\n`);
      expect((await failure()).message).toContain("spillway.yaml:2:22: streams.a.ids");
    },
  );

  test("settings shared by an anchor are merged", async () => {
    write("spillway.yaml", "streams:\n  a: &a { ids: upstream, heartbeat: 5s }\n  b: { <<: *a, heartbeat: 6s }\n");
    expect((await load()).streams["b"]).toMatchObject({ ids: "upstream", heartbeat: { interval: 6_000 } });
  });

  test.each([
    ["an unknown alias", "streams: *nowhere\n"],
    ["an unknown tag", "streams: !nowhere {}\n"],
    ["a tab as indentation", "streams:\n\ta: {}\n"],
    ["two documents", "drain: 1s\n---\ndrain: 2s\n"],
    [
      "aliases that multiply",
      `a: &a [1]\n${Array.from("bcdefgh", (n, i) => `${n}: &${n} [${`*${"abcdefgh"[i]},`.repeat(20)}]\n`).join("")}`,
    ],
  ])("%s is an error", async (_title, yaml) => {
    write("spillway.yaml", yaml);
    const error = await failure();
    expect(error.code).toBe("config-invalid");
    expect(error.message).toMatch(/^spillway\.yaml/);
  });

  test.each([
    [
      "that does not parse",
      "export default {\n  a b\n};",
      'spillway.config.mjs:2:4: ParseError: Unexpected token, expected ","',
    ],
    ["that throws", 'throw new Error("not today");', "spillway.config.mjs: not today"],
    [
      "whose function throws",
      'export default () => { throw new Error("not today"); };',
      "spillway.config.mjs: not today",
    ],
  ])("a module %s is an error that names it", async (_title, code, message) => {
    write("spillway.config.mjs", code);
    expect(await failure()).toMatchObject({ code: "config-invalid", message });
  });

  test("an error in a module names the file", async () => {
    write("spillway.config.js", "export default { drian: 1, streams: { a: {} } };");
    expect((await failure()).message).toBe('spillway.config.js: drian: unknown key; did you mean "drain"?');
  });

  test("a function for headers is passed through", async () => {
    write(
      "spillway.config.js",
      'export default { streams: { a: { upstream: { url: "http://a", headers: async () => ({ a: "b" }) } } } };',
    );
    const headers = (await load()).streams["a"]?.upstream?.headers;
    expect(typeof headers === "function" && (await headers())).toEqual({ a: "b" });
  });
});

describe("variables", () => {
  test("are replaced from the environment", async () => {
    write(
      "spillway.yaml",
      "drain: ${DRAIN}\nstreams: { a: { upstream: { url: 'http://${HOST:-a}/${PATH_}?key=$${x}' } } }\n",
    );
    const options = await load({ DRAIN: "3s", PATH_: "p" });
    expect(options.drain).toBe(3_000);
    expect(options.streams["a"]?.upstream?.targets[0]?.url).toBe("http://a/p?key=${x}");
  });

  test("are read from .env next to the file, and the environment takes precedence", async () => {
    write(".env", "# settings\nDRAIN=1s\nSTALL='2s'\n");
    write("spillway.yaml", "drain: ${DRAIN}\nlimits: { stall: '${STALL}' }\nstreams: { a: {} }\n");
    expect(await load({ DRAIN: "9s" })).toMatchObject({ drain: 9_000, limits: { stall: 2_000 } });
  });

  test("an empty one takes the default, but counts as set", async () => {
    write("spillway.yaml", "drain: ${A:-4s}\nstreams: { a: { upstream: { url: http://a, body: '${A}' } } }\n");
    const options = await load({ A: "" });
    expect(options.drain).toBe(4_000);
    expect(options.streams["a"]?.upstream?.body).toBe("");
  });

  test("that are not set are all reported with their positions, next to other errors", async () => {
    write(
      "spillway.yaml",
      "drain: ${DRAIN}\nstreams:\n  a:\n    upstream:\n      urls:\n        - http://${HOST}\n    idz: x\n",
    );
    const error = await failure();
    expect(error.message.split("\n")).toEqual([
      "spillway.yaml:1:8: drain: the environment variable DRAIN is not set",
      "spillway.yaml:6:11: streams.a.upstream.urls.0: the environment variable HOST is not set",
      'spillway.yaml:7:5: streams.a.idz: unknown key; did you mean "ids"?',
    ]);
  });

  test.each(["${", "${a b}", "${A", "${}", "${A-b}"])("%s is malformed", async (text) => {
    write("spillway.yaml", `drain: "${text}"\nstreams: { a: {} }\n`);
    expect((await failure({ A: "1s" })).message).toMatch(/^spillway\.yaml:1:8: drain: malformed variable/);
  });

  test("are not replaced in keys, nor within the value of a variable", async () => {
    write("spillway.yaml", "streams: { a: { upstream: { url: http://a, body: '${A}' } } }\n");
    expect((await load({ A: "${B}" })).streams["a"]?.upstream?.body).toBe("${B}");
    write("spillway.yaml", "streams: { a: {}, '${A}': {} }\n");
    expect((await failure({ A: "b" })).message).toContain("expected a stream name");
  });

  test("their values are not shown in errors", async () => {
    write("spillway.yaml", "drain: ${DRAIN}\nstreams: { a: {} }\n");
    const error = await failure({ DRAIN: "hunter2" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(JSON.stringify(error) + error.message + error.got).not.toContain("hunter2");
    expect(error.got).toBe("a string (not shown)");
  });
});

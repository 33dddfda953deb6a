import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { isSection, mergeConfig } from "../../../src/config/source.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { checkBlock, docBlocks } from "../../support/doc-blocks.ts";
import { selfSigned } from "../../support/self-signed.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));

beforeAll(() => {
  const { key, cert } = selfSigned();
  writeFileSync(join(folder, "key.pem"), key);
  writeFileSync(join(folder, "cert.pem"), cert);
  mkdirSync(join(folder, "html"));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Every variable in a text, with a suitable value. */
function sampleEnvironment(text: string): Record<string, string> {
  const names = Array.from(text.matchAll(/\$\{(\w+)/g), ([, name = ""]) => name);
  const surflux = { SURFLUX_API_URL: "http://127.0.0.1:9", SURFLUX_API_KEY: "sample" };
  const valueOf = (name: string): string => {
    if (name.endsWith("URL")) return "http://127.0.0.1:9/events";
    if (name.startsWith("WEBHOOK")) return `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    return name.endsWith("PORT") ? "8080" : "a-sample-of-a-secret-that-is-long-enough";
  };
  return { ...surflux, ...Object.fromEntries(names.map((name) => [name, valueOf(name)])) };
}

/** The path of a module. The configuration only looks whether there is one; its text is a block of its own. */
function existing(name: string): string {
  writeFileSync(join(folder, name), "");
  return join(folder, name);
}

/** A part of a configuration may leave out the streams. */
async function resolveBlock(text: string): Promise<void> {
  const yaml = text
    .replaceAll("sha256:…", `sha256:${"0".repeat(64)}`)
    .replaceAll(/[\w./-]*\/(\w+)\.pem/g, (_, name: string) => (name.includes("key") ? "./key.pem" : "./cert.pem"))
    .replaceAll(/: \.\/(\w+\.pem)/g, (_, name: string) => `: ${join(folder, name)}`)
    .replaceAll(/ \.\/([\w-]+\.[jt]s)\b/g, (_, name: string) => ` ${existing(name)}`);
  const path = join(mkdtempSync(join(folder, "block-")), "spillway.yaml");
  writeFileSync(path, yaml);
  const { input, source } = await loadConfig({ path, cwd: folder, env: sampleEnvironment(text) });
  const streams = isSection(input) && ("streams" in input || "preset" in input) ? {} : { streams: { prices: {} } };
  resolveConfig(mergeConfig(streams, input), source);
}

test.for(docBlocks("yaml"))("$at is a configuration that loads", (block) => checkBlock(block, resolveBlock));

test.for(docBlocks("json"))("$at is JSON", (block) =>
  checkBlock(block, (text) => {
    try {
      JSON.parse(text);
    } catch {
      for (const line of text.trimEnd().split("\n")) JSON.parse(line);
    }
  }),
);

test.for(docBlocks("ini"))("$at sets names to values", (block) =>
  checkBlock(block, (text) => {
    const settings = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(settings.filter((line) => !/^[\w.]+ ?= ?\S/.test(line))).toEqual([]);
  }),
);

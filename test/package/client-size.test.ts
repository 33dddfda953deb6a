import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** What a page imports, and how many bytes it may take; without a limit for the packages of others. */
const bundles: ReadonlyArray<readonly [name: string, code: string, limit?: number]> = [
  ["`spillway/client`: `subscribe`", 'export { subscribe } from "./src/client/index.ts"', 4000],
  ["`spillway/client`: `subscribeShared`", 'export { subscribeShared } from "./src/client/index.ts"', 5500],
  ["`spillway/client`: `EventSource`", 'export { EventSource } from "./src/client/index.ts"', 4000],
  ["`spillway/client`: `publish`", 'export { publish } from "./src/client/index.ts"', 2000],
  ["`spillway/client`: everything", 'export * from "./src/client/index.ts"', 7500],
  [
    "`spillway/react`: `SpillwayProvider`, `useStream`",
    'export { SpillwayProvider, useStream } from "./src/react/index.ts"',
    5500,
  ],
  ["@microsoft/fetch-event-source", 'export { fetchEventSource } from "@microsoft/fetch-event-source"'],
  ["eventsource-client", 'export { createEventSource } from "eventsource-client"'],
  ["launchdarkly-eventsource (Node only)", 'export { EventSource } from "launchdarkly-eventsource"'],
  ["eventsource", 'export { EventSource } from "eventsource"'],
  ["event-source-plus", 'export { EventSourcePlus } from "event-source-plus"'],
];

/** React is not part of the size. Modules that are left out do not leave an import of it behind, as in a page that bundles it. */
const withoutReact: Plugin = {
  name: "without-react",
  setup: (builder) =>
    builder.onResolve({ filter: /^react$/ }, () => ({ path: "react", external: true, sideEffects: false })),
};

/** The bytes of a page that imports this, minified and compressed. Fails if that needs a module of Node, unless `platform` is Node. */
async function sizeOf(code: string, platform: "browser" | "node"): Promise<number> {
  const { outputFiles } = await build({
    outdir: "out",
    splitting: true,
    stdin: { contents: code, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform,
    plugins: [withoutReact],
    target: "es2022",
    logLevel: "silent",
  });
  // Without what is loaded later.
  const page = outputFiles.find(({ path }) => path.endsWith("stdin.js"))!;
  return gzipSync(page.contents, { level: 9 }).length;
}

test.for(bundles)("%s has the size that the guide states, and at most its limit", async ([name, code, limit]) => {
  const size = await sizeOf(code, name.includes("Node only") ? "node" : "browser");
  if (limit !== undefined) expect(size, name).toBeLessThanOrEqual(limit);
  const guide = await readFile(join(root, "docs/guides/client.md"), "utf8");
  const row = guide.split("\n").find((line) => line.startsWith(`| ${name} `));
  const stated = Number(row?.split("|")[2]?.replace(",", ""));
  // Another version of the compressor may differ by some bytes.
  expect(Math.abs(stated - size), `${name}: ${size} bytes, the guide states ${stated}`).toBeLessThanOrEqual(20);
});

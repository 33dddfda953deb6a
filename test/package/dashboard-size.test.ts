import { readFile, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const assets = resolve(import.meta.dirname, "../../dist/dashboard/assets");

/** What the dashboard may take, compressed, in bytes. */
const limit = 60_000;

test("the whole dashboard has at most 60 kB, compressed, and names no other host", async () => {
  const files = await readdir(assets);
  expect(files.toSorted()).toEqual(["app.css", "app.js", "index.html"]);
  let size = 0;
  for (const file of files) {
    const content = await readFile(join(assets, file));
    size += gzipSync(content, { level: 9 }).length;
    const urls = content.toString().match(/\bhttps?:\/\/[^"'`\s)]+/g) ?? [];
    // The namespaces of SVG and MathML, which are names.
    expect(urls.filter((url) => !url.startsWith("http://www.w3.org/"))).toEqual([]);
  }
  expect(size).toBeLessThanOrEqual(limit);
});

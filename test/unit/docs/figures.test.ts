import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pageText, root } from "../../support/doc-blocks.ts";

const results = readFileSync(join(root, "bench/RESULTS.md"), "utf8");

/** What only a benchmark gives. */
const measured = /µs|\bkB\b|MiB|\/s\b|CPU|memory per/;

/** The figures in the rows of a page whose first cell names that. */
function figures(page: string): string[] {
  const rows = readFileSync(join(root, page), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|") && measured.test(line.split("|")[1]!));
  return rows.flatMap(
    (row) =>
      row
        .split("|")
        .slice(2)
        .join("|")
        .match(/\d[\d,]*\.\d+|\d{1,3}(?:,\d{3})+/g) ?? [],
  );
}

test.for(["README.md", "docs/comparison.md"])("every figure in the tables of %s is one of the benchmarks", (page) => {
  expect(figures(page).length).toBeGreaterThan(8);
  expect(figures(page).filter((figure) => !results.includes(` ${figure} `))).toEqual([]);
});

test("every cell about another server links to what it was read from", () => {
  const page = pageText("docs/comparison.md");
  const rows = page
    .slice(page.indexOf("## Servers"), page.indexOf("Measured on"))
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1));
  const [head = [], , ...others] = rows;
  const cells = others.flatMap((row) =>
    ["Mercure", "nchan", "Centrifugo", "Pushpin"].map((name) => row[head.findIndex((title) => title.includes(name))]!),
  );
  expect(cells.length).toBeGreaterThan(30);
  expect(cells.filter((cell) => cell.trim() !== "–" && !cell.includes("]["))).toEqual([]);
  const named = Array.from(page.matchAll(/\]\[([\w-]+)\]/g), ([, name]) => name);
  expect(named.filter((name) => !page.includes(`\n[${name}]: https://`))).toEqual([]);
});

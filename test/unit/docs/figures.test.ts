import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/doc-blocks.ts";

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

import { expect, test } from "vitest";
import { createPage, PageCache, type Page } from "../../../src/hub/page.ts";

test("nearly empty pages do not accumulate in the cache", () => {
  const cache = new PageCache(1024 * 1024);
  const home = new Map<number, Page>();
  for (let from = 0; from < 50_000; from++) {
    cache.keep(createPage("", { from, to: from, count: 0, gaps: 0, full: false }), home);
  }
  expect(home.size).toBeLessThan(10_000);
});

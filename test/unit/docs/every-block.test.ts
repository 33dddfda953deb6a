import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allBlocks, applications, isOfApplication, pageText, remedy, root } from "../../support/doc-blocks.ts";

/** Nothing on a page escapes the tests: a block is checked, shows output, or says why it is not checked. */

/** The languages of blocks that show what is printed or sent. */
const output = new Set(["", "text", "http"]);
/** Those whose blocks shell-blocks.test.ts runs, code-blocks.test.ts compiles, and data-blocks.test.ts loads. */
const checked = new Set(["sh", "js", "jsx", "ts", "tsx", "yaml", "json", "ini"]);

const blocks = allBlocks();

test("every block is checked, shows output, or has a reason why it is not checked", () => {
  const others = blocks.filter(
    (block) =>
      ![...checked, ...output].includes(block.language) &&
      block.reason === undefined &&
      block.checkedBy === undefined &&
      !isOfApplication(block),
  );
  expect(
    others.map(({ at, language }) => `${at}: ${language}`),
    remedy,
  ).toEqual([]);
});

test("a block that shows output has no command, which nothing would run", () => {
  const command = /^(?:[$#] )?(?:[A-Z_]+=\S* )*(?:npm|npx|node|curl|spillway|docker|kubectl|sudo|git) \S+ ?(?! )/m;
  const found = blocks.filter(({ language, text }) => output.has(language) && command.test(text));
  // The list of commands and what they do.
  expect(found.map(({ at }) => at)).toEqual([expect.stringMatching(/^docs\/reference\/cli\.md:4$/)]);
});

test("the blocks that are not checked are these", () => {
  const reasons = blocks.flatMap(({ at, reason }) => (reason === undefined ? [] : [`${at.split(":")[0]}: ${reason}`]));
  expect(reasons.toSorted(), remedy).toEqual([
    "docs/operations/deploy.md: installs a service of the system",
    "docs/operations/deploy.md: needs Docker",
    "docs/operations/deploy.md: needs Docker",
    "docs/operations/deploy.md: needs a Kubernetes cluster",
  ]);
});

test("a test that checks a block or an application of a page names the page", () => {
  const marked = blocks.flatMap(({ at, checkedBy }) =>
    checkedBy === undefined ? [] : [[at.split(":")[0]!, checkedBy]],
  );
  for (const [page = "", path = ""] of [...Object.entries(applications), ...marked]) {
    expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    expect(pageText(path), `${path} checks blocks of ${page}`).toContain(page);
  }
});

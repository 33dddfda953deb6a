import { afterAll, beforeAll, test } from "vitest";
import { checkBlock, docBlocks } from "../../support/doc-blocks.ts";
import { startDocShell, type DocShell } from "../../support/doc-shell.ts";

let shell: DocShell;

beforeAll(async () => {
  shell = await startDocShell();
});

afterAll(() => shell.close());

test.concurrent.for(docBlocks("sh"))("the commands of $at work", (block) =>
  checkBlock(block, (text) => shell.run(text)),
);

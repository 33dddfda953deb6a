import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeLogStore } from "../../src/testing/index.ts";
import { type ArrayServer, createArrayStore } from "../support/array-store.ts";
import { allBlocks, root } from "../support/doc-blocks.ts";

describeLogStore(
  "the example of the guide",
  {
    persistent: true,
    shared: false,
    async createPlace() {
      const server: ArrayServer = new Map();
      return { open: async (now, node) => createArrayStore(server, { now, node }), async remove() {} };
    },
  },
  { describe, it },
);

/** Without the line breaks, which depend on the length of the paths that are imported. */
const unbroken = (text: string): string => text.replaceAll(/,?\s+/g, " ");

it("the guide shows the driver that the suite has tested", () => {
  const source = readFileSync(join(root, "test/support/array-store.ts"), "utf8");
  const inFolder = source.replaceAll('"../../src/log/', '"../').replaceAll('"../../src/', '"../../');
  const blocks = allBlocks().filter(({ at }) => at.startsWith("docs/guides/add-an-engine.md"));
  expect(blocks.map(({ text }) => unbroken(text))).toContain(unbroken(inFolder));
});

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The root of the repository. */
export const root: string = resolve(import.meta.dirname, "../..");

/** A fenced block of a page. */
export interface DocBlock {
  /** `file:line` of its first line of text. */
  readonly at: string;
  /** The word after the fence; "" without one. */
  readonly language: string;
  /** Without the indentation of the fence. */
  readonly text: string;
  /** The file that it is: a comment in its first line has the name. */
  readonly file: string | undefined;
  /** The reason why it is not checked, from a comment above the fence: `<!-- not run: needs Docker -->`. */
  readonly reason: string | undefined;
  /** The test that checks it instead of those for its language: `<!-- checked by test/… -->`. */
  readonly checkedBy: string | undefined;
}

/** The remedy for a block that fails its check. */
export const remedy: string =
  "Mend the block, or write why it cannot be checked into a line of its own above the fence: <!-- not run: needs Docker -->";

/** The pages whose blocks and commands are checked. */
export function docPages(): string[] {
  const nested = ["docs", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((page) => join(folder, page)),
  );
  const pages = ["README.md", "PROTOCOL.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md", ...nested];
  return pages.filter((page) => page.endsWith(".md"));
}

/** The text of a page. */
export function pageText(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/**
 * All blocks in these languages, except those that have a marker, and the files of the applications that test/frameworks builds and
 * runs with their packages.
 */
export function docBlocks(...languages: readonly string[]): DocBlock[] {
  return allBlocks().filter(
    (block) =>
      languages.includes(block.language) &&
      block.reason === undefined &&
      block.checkedBy === undefined &&
      !isOfApplication(block),
  );
}

/** Every block of every page. */
export function allBlocks(): DocBlock[] {
  return docPages().flatMap((page) => blocksOf(page, pageText(page)));
}

/** Pages with an application, by the test that builds and runs it. */
export const applications: Readonly<Record<string, string>> = {
  "docs/guides/client-frameworks.md": "test/frameworks/clients/recipes.check.ts",
  "docs/guides/server-frameworks.md": "test/frameworks/servers/servers.check.ts",
  "docs/guides/nest.md": "test/frameworks/nest/guide.check.ts",
  "docs/guides/next.md": "test/frameworks/next/next.check.ts",
  "docs/guides/mcp.md": "test/frameworks/mcp/server.check.ts",
};

/** Whether a block is a file of an application. */
export function isOfApplication({ at, file }: DocBlock): boolean {
  return file !== undefined && at.replace(/:\d+$/, "") in applications;
}

/** A block that is a file. */
export interface DocFile {
  readonly name: string;
  readonly text: string;
}

/** The files of a page, in order. */
export function docFiles(page: string): DocFile[] {
  return blocksOf(page, pageText(page)).flatMap(({ file, text }) => (file === undefined ? [] : [{ name: file, text }]));
}

function blocksOf(page: string, text: string): DocBlock[] {
  const fence = /(?:^[ ]*<!-- (?:not run: (.+)|checked by (\S+)) -->\n\n?)?^([ ]*)```(\S*).*\n([^]*?)^\3```$/gm;
  return Array.from(
    text.matchAll(fence),
    ({ 0: whole, 1: reason, 2: checkedBy, 3: indent = "", 4: language = "", 5: body = "", index }) => {
      const before = text.slice(0, index + whole.indexOf("```"));
      const lines = body.split("\n").map((line) => line.slice(Math.min(indent.length, line.search(/\S|$/))));
      const at = `${page}:${before.split("\n").length + 1}`;
      const file = /^(?:\/\/|#|<!--) (\S+\.\w+)(?: -->)?\n/.exec(lines.join("\n"))?.[1];
      return { at, language, text: lines.join("\n"), file, reason, checkedBy };
    },
  );
}

/** Runs the check of a block; its error names the block and the remedy. */
export async function checkBlock({ at, text }: DocBlock, check: (text: string) => unknown): Promise<void> {
  try {
    await check(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // oxlint-disable-next-line preserve-caught-error -- its stack does not show the page, and its message is part of this one
    throw new Error(`${at}: ${message}\n\n${text}\n${remedy}`);
  }
}

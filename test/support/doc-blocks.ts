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
  /** The reason why it is not checked, from a comment above the fence: `<!-- not run: needs Docker -->`. */
  readonly reason: string | undefined;
}

/** The remedy for a block that fails its check. */
export const remedy: string =
  "Mend the block, or write why it cannot be checked into a line of its own above the fence: <!-- not run: needs Docker -->";

/** The pages whose blocks are checked. */
function pages(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((page) => join("docs", page));
  return ["README.md", "PROTOCOL.md", "CONTRIBUTING.md", "SECURITY.md", ...docs.filter((page) => page.endsWith(".md"))];
}

/** All blocks in these languages, except those with a reason why they are not checked. */
export function docBlocks(...languages: readonly string[]): DocBlock[] {
  return allBlocks().filter(({ language, reason }) => languages.includes(language) && reason === undefined);
}

/** Every block of every page. */
export function allBlocks(): DocBlock[] {
  return pages().flatMap((page) => blocksOf(page, readFileSync(join(root, page), "utf8")));
}

/** A block that is a file: its first line is a comment with the name. */
export interface DocFile {
  readonly name: string;
  readonly text: string;
}

/** The files of a page, in order. */
export function docFiles(page: string): DocFile[] {
  return blocksOf(page, readFileSync(join(root, page), "utf8")).flatMap(({ text }) => {
    const name = /^(?:\/\/|#|<!--) (\S+\.\w+)(?: -->)?\n/.exec(text)?.[1];
    return name === undefined ? [] : [{ name, text }];
  });
}

function blocksOf(page: string, text: string): DocBlock[] {
  const fence = /(?:^[ ]*<!-- not run: (.+) -->\n\n?)?^([ ]*)```(\S*).*\n([^]*?)^\2```$/gm;
  return Array.from(
    text.matchAll(fence),
    ({ 0: whole, 1: reason, 2: indent = "", 3: language = "", 4: body = "", index }) => {
      const before = text.slice(0, index + whole.indexOf("```"));
      const lines = body.split("\n").map((line) => line.slice(Math.min(indent.length, line.search(/\S|$/))));
      return { at: `${page}:${before.split("\n").length + 1}`, language, text: lines.join("\n"), reason };
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

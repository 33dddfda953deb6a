import { LineSplitter } from "../sse/line-splitter.ts";

/** Takes a block of an event stream: its lines, each with its LF. */
export type BlockListener = (block: string) => void;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const colon = 0x3a;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * Splits an event stream into blocks as they were written, without `id` lines, in whose place the gateway writes its
 * own. Blocks of comments alone are left out.
 */
export class BlockSplitter {
  readonly #onBlock: BlockListener;
  readonly #lines = new LineSplitter((bytes, start, end) => this.#line(bytes, start, end));
  #text = "";
  #hasField = false;
  #atStart = true;

  constructor(onBlock: BlockListener) {
    this.#onBlock = onBlock;
  }

  /** The size of the block that is not complete yet, about. */
  get unfinished(): number {
    return this.#text.length + this.#lines.unfinishedBytes;
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  /** Takes what was not ended by a blank line as a block. */
  end(): void {
    this.push(lineEnds);
  }

  #line(bytes: Uint8Array, lineStart: number, end: number): void {
    let start = lineStart;
    if (this.#atStart && byteOrderMark.every((byte, index) => bytes[start + index] === byte && start + index < end))
      start += byteOrderMark.length;
    this.#atStart = false;
    if (start === end) return this.#endBlock();
    const isComment = bytes[start] === colon;
    const line = decoder.decode(bytes.subarray(start, end));
    if (/^id(?::|$)/.test(line)) return;
    this.#hasField ||= !isComment;
    this.#text += `${line}\n`;
  }

  #endBlock(): void {
    const text = this.#text;
    const isKept = this.#hasField;
    this.#text = "";
    this.#hasField = false;
    if (isKept) this.#onBlock(text);
  }
}

const lineEnds = new Uint8Array([0x0a, 0x0a]);

/** The data of a block, as an event has it; `undefined` for a block without data. */
export function dataOf(block: string): string | undefined {
  const lines = block
    .split("\n")
    .flatMap((line) => /^data(?:: ?(.*))?$/s.exec(line)?.[1] ?? (line === "data" ? "" : []));
  return lines.length > 0 ? lines.join("\n") : undefined;
}

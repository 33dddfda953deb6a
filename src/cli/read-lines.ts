import type { Readable } from "node:stream";

/** Yields the lines of a stream in batches, one for each read; with `whole`, all lines in one batch at the end. */
export async function* readLines(input: Readable, whole: boolean): AsyncGenerator<string[]> {
  let rest = "";
  input.setEncoding("utf8");
  for await (const chunk of input as AsyncIterable<string>) {
    rest += chunk;
    const end = whole ? -1 : rest.lastIndexOf("\n");
    if (end >= 0) yield rest.slice(0, end).split("\n");
    rest = rest.slice(end + 1);
  }
  if (rest !== "") yield rest.split("\n");
}

import type { Readable } from "node:stream";

/** The lines of a stream as they come in, those of one read together; with `whole` all of them at the end. */
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

import { ClientError } from "./error.ts";

/** Takes the blocks of a stream as they become complete. */
export interface ParserListener {
  /** A block with data, or with an id only; then `data` is `undefined`. */
  onBlock(type: string, data: string | undefined, lastEventId: string): void;
  /** A `retry` line, in ms. */
  onRetry(ms: number): void;
}

/**
 * Parses an event stream (WHATWG HTML section 9.2). `spillway/sse` has a parser over bytes for servers; this one is a third of
 * its size, because it leaves decoding and splitting to the platform.
 *
 * @param maxLength the maximum length of an event that arrives in several chunks, in characters
 * @returns a function that parses the next bytes and returns the last event id of the complete blocks. It throws
 * `sse-event-too-large`.
 */
export function createTextParser(
  initialId: string,
  maxLength: number,
  { onBlock, onRetry }: ParserListener,
): (chunk: Uint8Array) => string {
  // It drops a byte order mark.
  const decoder = new TextDecoder();
  let lastEventId = initialId;
  let afterCr = false;
  let unfinished = "";
  // The current block.
  let length = 0;
  let type = "";
  let id: string | undefined;
  let data: string | undefined;

  function readLine(line: string): void {
    const [, name, value = ""] = /^([^:]*):? ?(.*)/s.exec(line)!;
    length += line.length;
    if (!line) endBlock();
    else if (name === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (name === "event") type = value;
    else if (name === "id" && !value.includes("\0")) id = value;
    else {
      length -= line.length;
      if (name === "retry" && /^\d+$/.test(value)) onRetry(+value);
    }
  }

  function endBlock(): void {
    lastEventId = id ?? lastEventId;
    if ((data ?? id) !== undefined) onBlock(type || "message", data, lastEventId);
    length = 0;
    type = "";
    id = data = undefined;
  }

  return (chunk) => {
    let text = decoder.decode(chunk, { stream: true });
    if (text) {
      if (afterCr && text[0] === "\n") text = text.slice(1);
      afterCr = text.endsWith("\r");
      const lines = text.split(/\r\n?|\n/);
      lines[0] = unfinished + lines[0];
      unfinished = lines.pop()!;
      lines.forEach(readLine);
    }
    if (length + unfinished.length > maxLength) throw new ClientError("sse-event-too-large", { fatal: true });
    return lastEventId;
  };
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { createTextParser } from "../../../src/client/parser.ts";
import { bytes, chunkSizes, cut, read, streams, type Reading } from "../sse/streams.ts";

/** Reads a stream with the client's parser. */
function readText(chunks: readonly Uint8Array[], maxLength = 1e6): Omit<Reading, "comments"> {
  const reading = { events: [] as Reading["events"], ids: [] as string[], retries: [] as number[] };
  const parse = createTextParser("", maxLength, {
    onBlock(event, data, lastEventId) {
      if (data === undefined) reading.ids.push(lastEventId);
      else reading.events.push({ event, data, lastEventId, id: undefined });
    },
    onRetry: (ms) => reading.retries.push(ms),
  });
  let lastEventId = "";
  for (const chunk of chunks) lastEventId = parse(chunk);
  return { ...reading, lastEventId };
}

test("the client's parser reads every stream as the server's does, however it is split", () => {
  fc.assert(
    fc.property(streams, chunkSizes, (stream, sizes) => {
      const chunks = cut(stream, sizes);
      const expected = read(chunks);
      const events = expected.events.map((event) => ({ ...event, id: undefined }));
      expect({ ...readText(chunks), comments: expected.comments }).toEqual({ ...expected, events });
    }),
    { numRuns: 500 },
  );
});

test("an event of more characters than allowed is refused, also as one unfinished line", () => {
  for (const text of [`data: ${"x".repeat(200)}`, "data: 0123456789\n".repeat(10)]) {
    expect(() => readText([bytes(text)], 100)).toThrow(expect.objectContaining({ code: "sse-event-too-large" }));
  }
  expect(readText([bytes("data: 0123456789\n\n".repeat(50))], 100).events).toHaveLength(50);
});

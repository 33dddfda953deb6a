import { createParser as createOracle } from "eventsource-parser";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { budget, time } from "./budget.ts";
import { bytes, chunkSizes, concat, cut, read, streams } from "../unit/sse/streams.ts";

test(
  "a stream gives the same events, however it is split into chunks",
  () => {
    fc.assert(
      fc.property(streams, chunkSizes, (stream, sizes) => {
        expect(read(cut(stream, sizes))).toEqual(read([stream]));
      }),
      budget(1000, 1 / 3),
    );
  },
  time,
);

test(
  "the limit applies in the same way, however the stream is split",
  () => {
    const outcome = (chunks: readonly Uint8Array[], maxEventBytes: number): unknown => {
      try {
        return read(chunks, { maxEventBytes });
      } catch (error) {
        return error;
      }
    };
    fc.assert(
      fc.property(streams, chunkSizes, fc.nat(60), (stream, sizes, limit) => {
        expect(outcome(cut(stream, sizes), limit)).toEqual(outcome([stream], limit));
      }),
      budget(500, 1 / 3),
    );
  },
  time,
);

/**
 * What eventsource-parser says, in our words. It reports only a block's own id, none for a block without data, and takes
 * one leading space off a comment. Its `retry` has no upper bound; generated ones stay small.
 */
function consult(chunks: readonly Uint8Array[]): { events: object[]; retries: number[]; comments: string[] } {
  const said = { events: [] as object[], retries: [] as number[], comments: [] as string[] };
  const oracle = createOracle({
    onEvent: ({ event, data, id }) => said.events.push({ event: event ?? "message", data, id }),
    onRetry: (ms) => said.retries.push(ms),
    onComment: (text) => said.comments.push(text),
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks) oracle.feed(decoder.decode(chunk, { stream: true }));
  return said;
}

test(
  "eventsource-parser reads the same events",
  () => {
    // It waits after a CR at the end of a chunk for a possible LF, where WHATWG ends the line at once: one more line of no
    // consequence lets it catch up.
    const flush = bytes("x\n");
    // It strips the *characters* U+00EF U+00BB U+00BF from the start, taking them for a mark that was decoded wrongly; and a second
    // byte order mark, since the decoder in front of it has taken the first. WHATWG strips one, and only bytes.
    const misread = (stream: Uint8Array): boolean =>
      /^(\u00EF\u00BB\u00BF|\uFEFF)/.test(new TextDecoder().decode(stream));
    fc.assert(
      fc.property(streams, chunkSizes, (stream, sizes) => {
        fc.pre(!misread(stream));
        const chunks = cut(concat([stream, flush]), sizes);
        const ours = read(chunks);
        expect({
          events: ours.events.map(({ event, data, id }) => ({ event, data, id })),
          retries: ours.retries,
          comments: ours.comments.map((text) => text.replace(/^ /, "")),
        }).toEqual(consult(chunks));
      }),
      budget(2000, 1 / 3),
    );
  },
  time,
);

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EventFilter } from "../../../src/proxy/events.ts";
import { frame } from "../../../src/proxy/frame.ts";
import { RawHeartbeatFilter, type HeartbeatFilter } from "../../../src/proxy/heartbeat.ts";
import type { IdleWatch, Watched } from "../../../src/proxy/idle-watch.ts";
import { bytes, chunkSizes, cut, read, streams } from "../sse/streams.ts";
import { createTestSink, type TestSink } from "./support.ts";

interface Opened {
  readonly sink: TestSink;
  readonly filter: HeartbeatFilter;
  readonly watched: Set<Watched>;
  /** How often something was written. */
  touched(): number;
}

function open(make: (sink: TestSink, silence: IdleWatch) => HeartbeatFilter): Opened {
  const sink = createTestSink();
  const watched = new Set<Watched>();
  let touched = 0;
  const silence: IdleWatch = {
    limit: 60_000,
    add: (one) => void watched.add(one),
    touch: () => void touched++,
    remove: (one) => void watched.delete(one),
  };
  const filter = make(sink, silence);
  return { sink, filter, watched, touched: () => touched };
}

const exchange = { onDrain() {}, onHalfClose() {}, onClose() {} };

const openRaw = (): Opened => open((sink, silence) => new RawHeartbeatFilter({ sink, exchange }, silence));

const openTransformed = (): Opened =>
  open(
    (sink, silence) =>
      new EventFilter({ sink, exchange }, silence, {
        transform: (event) => event,
        context: { route: "/", path: "/", subject: "anonymous" },
        onError: "pass",
        onFailure() {},
      }),
  );

test.each([
  ["at the start", "", true],
  ["after an event", "data: a\n\n", true],
  ["after an event with CRLF", "data: a\r\n\r\n", true],
  ["after an event with CR", "data: a\r\r", true],
  ["after LF and CRLF", "data: a\n\r\n", true],
  ["after a leading line end", "\r\n", true],
  ["within a line", "data: a", false],
  ["between the lines of an event", "data: a\n", false],
  ["between lines with CRLF", "data: a\r\n", false],
  ["within a CRLF", "data: a\r", false],
])("a silence %s (%j): %s", (_, text, beats) => {
  const { sink, filter } = openRaw();
  for (const byte of bytes(text)) filter.write(frame(Uint8Array.of(byte)));
  filter.onIdle();
  expect(sink.text()).toBe(text + (beats ? ":\n\n" : ""));
});

test.each([
  ["raw", openRaw],
  ["with a transform", openTransformed],
])("heartbeats after each chunk change no event (%s)", (_, opens) => {
  fc.assert(
    fc.property(streams, chunkSizes, (stream, sizes) => {
      const { sink, filter } = opens();
      const marked = stream[0] === 0xef;
      if (!marked) filter.onIdle();
      for (const chunk of cut(stream, sizes)) {
        filter.write(frame(chunk));
        filter.onIdle();
      }
      expect({ ...read([sink.bytes()]), comments: [] }).toEqual({ ...read([stream]), comments: [] });
    }),
    { numRuns: 300 },
  );
});

test("a byte order mark behind a heartbeat does not become part of a field's name", () => {
  const { sink, filter } = openRaw();
  filter.onIdle();
  filter.write(frame(bytes("\uFEFFdata: a\n\n")));
  expect(sink.text()).toBe(":\n\ndata: a\n\n");
});

test("a byte order mark in two chunks behind a heartbeat is left out too", () => {
  const { sink, filter } = openRaw();
  filter.onIdle();
  const chunk = bytes("\uFEFFdata: a\n\n");
  filter.write(frame(chunk.subarray(0, 1)));
  filter.onIdle();
  filter.write(frame(chunk.subarray(1)));
  expect(sink.text()).toBe(":\n\ndata: a\n\n");
});

test("a client that does not read gets no heartbeats", () => {
  const { sink, filter } = openRaw();
  sink.full = true;
  filter.onIdle();
  expect(sink.writes).toBe(0);
});

test("what is written delays the next heartbeat, and the end stops them", () => {
  const { filter, watched, touched } = openRaw();
  filter.write(frame(bytes("data: a\n\n")));
  filter.onIdle();
  expect([watched.size, touched()]).toEqual([1, 2]);
  filter.end();
  expect(watched.size).toBe(0);
});

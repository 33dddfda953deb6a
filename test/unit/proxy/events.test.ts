import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { SseError } from "../../../src/sse/index.ts";
import { EventFilter, type EventChanges } from "../../../src/proxy/events.ts";
import { frame } from "../../../src/proxy/frame.ts";
import type { Transform, TransformResult } from "../../../src/transform/transform.ts";
import { bytes, chunkSizes, cut, dataOf, read, streams } from "../sse/streams.ts";
import { createTestSink, type TestSink } from "./support.ts";

const context = { route: "/events", path: "/events", subject: "anonymous" };

interface Opened {
  readonly sink: TestSink;
  readonly filter: EventFilter;
  /** How often the exchange was asked for more. */
  readonly asked: () => number;
  readonly failures: unknown[];
  readonly onClose: () => void;
}

function open(transform: Transform, onError: EventChanges["onError"] = "pass"): Opened {
  const sink = createTestSink();
  const failures: unknown[] = [];
  const exchange = { onDrain: vi.fn<() => void>(), onHalfClose() {}, onClose: vi.fn<() => void>() };
  const filter = new EventFilter({ sink, exchange }, undefined, {
    transform,
    context,
    onError,
    onFailure: (error) => failures.push(error),
  });
  sink.listener = filter;
  return { sink, filter, asked: () => exchange.onDrain.mock.calls.length, failures, onClose: exchange.onClose };
}

function push({ filter }: Opened, ...chunks: readonly (Uint8Array | string)[]): void {
  for (const chunk of chunks) filter.write(frame(typeof chunk === "string" ? bytes(chunk) : chunk));
}

const identity: Transform = (event) => event;

describe("the identity", () => {
  test.each<[string, Transform]>([
    ["sync", identity],
    ["async", async (event) => event],
    ["sync and async in turn", (event) => (event.data.length % 2 === 0 ? event : Promise.resolve(event))],
  ])("%s gives the events of the source, however its bytes are split", async (_, transform) => {
    await fc.assert(
      fc.asyncProperty(streams, chunkSizes, async (stream, sizes) => {
        const opened = open(transform);
        push(opened, ...cut(stream, sizes));
        opened.filter.end();
        await opened.sink.ended;
        const [got, source] = [read([opened.sink.bytes()]), read([stream])];
        // A comment in an event stands before it, and has one leading space.
        expect({ ...got, comments: got.comments.length }).toEqual({ ...source, comments: source.comments.length });
      }),
      { numRuns: 200 },
    );
  });

  test("passes on comments, delays and ids without data", () => {
    const opened = open(identity);
    push(opened, ": hello\n\nretry: 500\n\nid: 3\n\n:\n\n");
    expect(opened.sink.text()).toBe(": hello\n\nretry: 500\n\nid: 3\n\n:\n\n");
  });
});

test("an event is changed, and the data that is not JSON passes", () => {
  const opened = open((event) => {
    const order = event.json() as { net: number } | undefined;
    return order ? { data: { ...order, gross: order.net * 2 } } : event;
  });
  push(opened, 'id: 1\ndata: {"net":1}\n\ndata: hel', "lo\n\n");
  expect(opened.sink.text()).toBe('id: 1\ndata: {"net":1,"gross":2}\n\ndata: hello\n\n');
});

test("the events of a chunk are written at once", () => {
  const opened = open(identity);
  push(opened, "data: a\n\ndata: b\n\ndata: c\n\n");
  expect(opened.sink.writes).toBe(1);
});

describe("an async transform", () => {
  const settle: Array<(result: TransformResult) => void> = [];
  const manual: Transform = () => new Promise((resolve) => settle.push(resolve));
  const turn = (): Promise<void> => new Promise(setImmediate);

  test("gets one event at a time, and the target is paused meanwhile", async () => {
    const opened = open(manual);
    push(opened, "data: a\n\ndata: b\n\n: c\n\n");
    expect([settle.length, opened.filter.full, opened.asked()]).toEqual([1, true, 0]);
    settle.shift()!({ data: "A" });
    await turn();
    expect([settle.length, opened.sink.text(), opened.asked()]).toEqual([1, "data: A\n\n", 0]);
    settle.shift()!(undefined);
    await turn();
    expect([opened.filter.full, opened.sink.text(), opened.asked()]).toEqual([false, "data: A\n\n: c\n\n", 1]);
  });

  test("is waited for when the target ends", async () => {
    const opened = open(manual);
    push(opened, "data: a\n\n");
    opened.filter.end({ "x-sum": "1" });
    expect(opened.sink.trailers).toBeUndefined();
    settle.shift()!({ data: "A" });
    await opened.sink.ended;
    expect([opened.sink.text(), opened.sink.trailers]).toEqual(["data: A\n\n", { "x-sum": "1" }]);
  });

  test("has no effect once the client has gone", async () => {
    const opened = open(manual);
    push(opened, "data: a\n\ndata: b\n\n");
    opened.filter.onClose();
    settle.shift()!({ data: "A" });
    await turn();
    expect([opened.sink.text(), settle.length]).toEqual(["", 0]);
  });
});

describe("a full client", () => {
  test("stops the transform until there is room", () => {
    const transform = vi.fn<Transform>(identity);
    const opened = open(transform);
    opened.sink.full = true;
    push(opened, "data: a\n\ndata: b\n\n");
    expect([transform.mock.calls.length, opened.filter.full]).toEqual([0, true]);
    opened.sink.drain();
    expect([dataOf(opened.sink.text()), opened.filter.full, opened.asked()]).toEqual([["a", "b"], false, 1]);
  });

  test("takes at most one write beyond its room, however much the transform adds", () => {
    const opened = open(() => ({ data: "x".repeat(70_000) }));
    opened.sink.fullAfter = 1;
    push(opened, "data: a\n\n".repeat(100));
    expect(opened.sink.writes).toBe(1);
    for (let i = 1; i < 100; i++) opened.sink.drain();
    expect([opened.sink.writes, dataOf(opened.sink.text()).length]).toEqual([100, 100]);
  });
});

describe("a transform that fails", () => {
  const failures: Array<[string, Transform]> = [
    ["throws", ({ data }) => ((data === "b" ? JSON.parse("secret") : undefined) as TransformResult) ?? { data }],
    [
      "rejects",
      async ({ data }) => {
        if (data === "b") throw new Error("no");
        return { data };
      },
    ],
    ["returns no event", (event) => (event.data === "b" ? (7 as unknown as TransformResult) : event)],
    ["returns a broken id", (event) => (event.data === "b" ? { id: "\n" } : event)],
  ];
  const stream = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";

  test.each(failures)("(it %s) passes the event with `pass`", async (_, transform) => {
    const opened = open(transform, "pass");
    push(opened, stream);
    opened.filter.end();
    await opened.sink.ended;
    expect([opened.sink.text(), opened.failures.length]).toEqual([stream, 1]);
  });

  test.each(failures)("(it %s) keeps only the event's id with `skip`", async (_, transform) => {
    const opened = open(transform, "skip");
    push(opened, stream);
    opened.filter.end();
    await opened.sink.ended;
    expect(opened.sink.text()).toBe(stream.replace("data: b\n", ""));
  });

  test.each(failures)("(it %s) cuts the stream behind the events before it with `stop`", async (_, transform) => {
    const opened = open(transform, "stop");
    push(opened, stream);
    await opened.sink.destroyed;
    expect(opened.sink.text()).toBe("id: 1\ndata: a\n\n");
    expect(opened.onClose).toHaveBeenCalled();
    push(opened, stream);
    expect(opened.sink.text()).toBe("id: 1\ndata: a\n\n");
  });
});

test("a stream that is cut has no end, also if the target had ended it", async () => {
  const opened = open(async () => {
    throw new Error("failed");
  }, "stop");
  push(opened, "data: a\n\n");
  opened.filter.end({ checksum: "1" });
  await opened.sink.destroyed;
  // What settles with the transform comes after it.
  await new Promise((resolve) => setImmediate(resolve));
  expect(opened.sink.trailers).toBeUndefined();
});

test("an event above 16 MiB cuts the stream", async () => {
  const opened = open(identity);
  push(opened, "data: a\n\ndata: ");
  const chunk = new Uint8Array(1024 * 1024).fill(0x78);
  for (let i = 0; i < 17; i++) push(opened, chunk);
  await opened.sink.destroyed;
  expect(opened.sink.text()).toBe("data: a\n\n");
  expect(opened.failures).toEqual([expect.any(SseError)]);
});

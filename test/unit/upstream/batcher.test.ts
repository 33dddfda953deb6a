import { describe, expect, test } from "vitest";
import { createBatcher, type Batcher, type BatcherOptions } from "../../../src/upstream/batcher.ts";
import { sseDecoder } from "../../../src/upstream/sources/sse.ts";
import type { UpstreamBatch } from "../../../src/upstream/upstream.ts";

function make({
  onRetry = () => {},
  ...options
}: Partial<BatcherOptions> & { onRetry?(ms: number): void } = {}): Batcher {
  return createBatcher({
    cursor: undefined,
    overlap: undefined,
    spillway: false,
    heldId: "",
    createDecoder: sseDecoder(1000, onRetry),
    onCount() {},
    ...options,
  });
}

async function push(batcher: Batcher, text: string): Promise<UpstreamBatch[]> {
  const batches: UpstreamBatch[] = [];
  for await (const batch of batcher.push(new TextEncoder().encode(text))) batches.push(batch);
  return batches;
}

const event = (data: string, id?: string, type = "message"): object => ({ event: type, data, id });

describe("a chunk", () => {
  test("becomes one batch with the last event id as cursor", async () => {
    const batches = await push(make(), "id: 1\ndata: a\n\nevent: x\ndata: b\n\nid: 2\n\n");
    expect(batches).toEqual([{ events: [event("a", "1"), event("b", undefined, "x")], cursor: "2", gap: false }]);
  });

  test("without the end of an event becomes no batch", async () => {
    const batcher = make();
    expect(await push(batcher, ": hello\n\ndata: a")).toEqual([]);
    expect(await push(batcher, "\n\n")).toEqual([{ events: [event("a")], cursor: undefined, gap: false }]);
  });

  test("with only a new id becomes a batch without events", async () => {
    const batcher = make({ cursor: "1" });
    expect(await push(batcher, "id: 2\n\n")).toEqual([{ events: [], cursor: "2", gap: false }]);
    expect(await push(batcher, "id: 2\n\n")).toEqual([]);
  });

  test("with an empty id clears the cursor", async () => {
    expect(await push(make({ cursor: "1" }), "id\n\n")).toEqual([{ events: [], cursor: "", gap: false }]);
  });

  test("has the id of a block without data with the next event", async () => {
    const batcher = make({ cursor: "1", heldId: "1" });
    const [batch] = await push(batcher, "id: 2\n\nid: 3\n\ndata: a\n\ndata: b\n\nid: 3\ndata: c\n\n");
    expect(batch).toEqual({ events: [event("a", "3"), event("b"), event("c", "3")], cursor: "3", gap: false });
    expect((await push(batcher, "id: 4\n\n"))[0]?.events).toEqual([]);
    expect((await push(batcher, "data: d\n\n"))[0]?.events).toEqual([event("d", "4")]);
  });

  test("has an empty id where the source's clients clear theirs", async () => {
    const [batch] = await push(
      make({ cursor: "1", heldId: "1" }),
      "id:\ndata: a\n\nid: 2\ndata: b\n\nid\n\ndata: c\n\n",
    );
    expect(batch).toEqual({ events: [event("a", ""), event("b", "2"), event("c", "")], cursor: "", gap: false });
  });

  test("has the id that applies at the start of a log, and after a cursor that came without an event", async () => {
    expect((await push(make({ heldId: undefined }), "data: a\n\ndata: b\n\n"))[0]?.events).toEqual([
      event("a", ""),
      event("b"),
    ]);
    expect((await push(make({ cursor: "2", heldId: "1" }), "data: a\n\n"))[0]?.events).toEqual([event("a", "2")]);
  });

  test("that exceeds the limit gives the events before it and then fails", async () => {
    const batches: UpstreamBatch[] = [];
    const read = async (): Promise<void> => {
      const chunk = new TextEncoder().encode(`id: 1\ndata: a\n\ndata: ${"x".repeat(2000)}`);
      for await (const batch of make().push(chunk)) batches.push(batch);
    };
    await expect(read()).rejects.toMatchObject({ code: "sse-event-too-large" });
    expect(batches).toEqual([{ events: [event("a", "1")], cursor: "1", gap: false }]);
  });

  test("reports retry lines and counts events", async () => {
    const seen: unknown[] = [];
    const batcher = make({ onRetry: (ms) => seen.push(ms), onCount: (counter) => seen.push(counter) });
    await push(batcher, "retry: 70\ndata: a\n\n");
    expect(seen).toEqual([70, "received"]);
  });
});

describe("a Spillway as the source", () => {
  test.each(["spillway.gap", "spillway.reset"])("turns %s into a gap at its position", async (type) => {
    const batches = await push(
      make({ spillway: true }),
      `id: 1\ndata: a\n\nevent: ${type}\nid: 4\ndata: {}\n\nid: 5\ndata: b\n\n`,
    );
    expect(batches).toEqual([
      { events: [event("a", "1")], cursor: "1", gap: false },
      { events: [event("b", "5")], cursor: "5", gap: true },
    ]);
  });

  test("announces consecutive gaps once, also without a following event", async () => {
    const text = "event: spillway.reset\ndata: {}\n\nevent: spillway.gap\ndata: {}\n\n";
    expect(await push(make({ spillway: true }), text)).toEqual([{ events: [], cursor: undefined, gap: true }]);
  });

  test("has its other control events dropped, but not their ids", async () => {
    const counted: string[] = [];
    const batcher = make({ spillway: true, onCount: (counter) => counted.push(counter) });
    const text =
      "event: spillway.bye\ndata: {}\n\nevent: spillway.upstream\nid: 3\ndata: {}\n\nevent: spillway.x\ndata\n\n";
    expect(await push(batcher, text)).toEqual([{ events: [], cursor: "3", gap: false }]);
    expect(counted).toEqual([]);
  });

  test("has its first connected event dropped, and only that", async () => {
    const greeting = "event: connected\ndata: {}\n\n";
    const [batch] = await push(make({ spillway: true }), greeting + greeting);
    expect(batch?.events).toEqual([event("{}", undefined, "connected")]);
    expect((await push(make(), greeting))[0]?.events).toHaveLength(1);
    expect((await push(make({ spillway: true }), `data: a\n\n${greeting}`))[0]?.events).toHaveLength(2);
  });
});

describe("another source", () => {
  test("has events of reserved types dropped and counted, without a gap, and keeps their ids", async () => {
    const counted: string[] = [];
    const batcher = make({ onCount: (counter) => counted.push(counter) });
    const text =
      "id: 1\ndata: a\n\nevent: spillway.gap\ndata: {}\n\nid: 2\nevent: spillway.reset\ndata: {}\n\ndata: b\n\n";
    expect(await push(batcher, text)).toEqual([
      { events: [event("a", "1"), event("b", "2")], cursor: "2", gap: false },
    ]);
    expect(counted).toEqual(["received", "received", "refused", "received", "refused", "received"]);
  });
});

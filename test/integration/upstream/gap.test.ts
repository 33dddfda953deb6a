import { describe, expect, test } from "vitest";
import type { UpstreamBatch } from "../../../src/upstream/upstream.ts";
import { eventually } from "../../support/reader.ts";
import { createLoggedHistory } from "../../unit/upstream/logged-history.ts";
import { probe, source } from "./support.ts";

const gaps = (batches: readonly UpstreamBatch[]): number => batches.filter(({ gap }) => gap).length;

describe("a source without ids", () => {
  test("causes a gap at a reconnect, before the next event", async () => {
    const origin = await source({ idEvery: 0 });
    const { upstream, batches, numbers, untilState, untilDelivered } = probe(origin.url);
    upstream.start();
    await untilState("open");
    expect(batches).toEqual([]);
    origin.control({ emit: 2 });
    await untilDelivered(2);
    origin.control({ drop: "end" });
    await eventually(() => gaps(batches) === 1);
    origin.control({ emit: 1 });
    await untilDelivered(3);
    expect(numbers()).toEqual([1, 2, 3]);
    expect(batches.at(-2)).toEqual({ events: [], cursor: undefined, gap: true });
    expect(batches.at(-1)!.gap).toBe(false);
  });

  test("causes one gap, however many attempts there were", async () => {
    const origin = await source({ idEvery: 0 });
    const { upstream, batches, untilState, untilDelivered } = probe(origin.url);
    upstream.start();
    await untilState("open");
    origin.control({ emit: 1 });
    await untilDelivered(1);
    origin.control({ next: [{ body: "" }, { body: ": hello\n\n" }, { status: 500 }], drop: "reset" });
    await eventually(() => origin.state().connections.length === 5 && origin.state().open === 1);
    await upstream.stop();
    upstream.start();
    await eventually(() => origin.state().connections.length === 6);
    await untilState("open");
    origin.control({ emit: 1 });
    await untilDelivered(2);
    expect(gaps(batches)).toBe(1);
    origin.control({ drop: "end" });
    await eventually(() => gaps(batches) === 2);
  });

  test("causes a gap if events were received before this process started", async () => {
    const origin = await source({ idEvery: 0 });
    const history = createLoggedHistory();
    history.append({ events: [{ event: "message", data: "{}", id: undefined }], cursor: undefined, gap: false });
    const { upstream, batches } = probe(origin.url, {}, {}, history);
    upstream.start();
    await eventually(() => batches.length === 1);
    expect(batches).toEqual([{ events: [], cursor: undefined, gap: true }]);
  });

  test("may reset the connection while the gap is delivered", async () => {
    const origin = await source({ idEvery: 0 });
    const history = createLoggedHistory();
    history.append({ events: [{ event: "message", data: "{}", id: undefined }], cursor: undefined, gap: false });
    const deliver = async (): Promise<void> => {
      if (origin.state().connections.length > 1) return;
      origin.control({ drop: "reset" });
      await eventually(() => origin.state().sockets === 0);
    };
    const { upstream, batches } = probe(origin.url, {}, { deliver }, history);
    upstream.start();
    await eventually(() => origin.state().connections.length === 2 && upstream.status().state === "open");
    expect(gaps(batches)).toBe(1);
  });
});

test("a source that was resumed causes no gap", async () => {
  const origin = await source({ dropEvery: 1 });
  const { upstream, batches, untilDelivered } = probe(origin.url);
  upstream.start();
  origin.control({ emit: 4 });
  await untilDelivered(4);
  expect(gaps(batches)).toBe(0);
});

test("a Spillway as the source passes on its gaps, and no other control events", async () => {
  const origin = await source();
  const body = [
    "event: connected\ndata: {}\n\n",
    'id: e.1\ndata: {"n":1}\n\n',
    'event: spillway.gap\ndata: {"lost":3}\n\n',
    'id: e.5\ndata: {"n":5}\n\n',
    "event: spillway.bye\ndata: {}\n\n",
  ].join("");
  const headers = { "content-type": "text/event-stream; charset=utf-8", "spillway-resume": "live" };
  origin.control({ next: [{ headers, body, then: "silence" }] });
  const { upstream, batches, untilDelivered } = probe(origin.url);
  upstream.start();
  await untilDelivered(2);
  expect(batches.map(({ events, cursor, gap }) => [events.map(({ id }) => id), cursor, gap])).toEqual([
    [["e.1"], "e.1", false],
    [["e.5"], "e.5", true],
  ]);
  expect(upstream.status().received).toBe(2);
});

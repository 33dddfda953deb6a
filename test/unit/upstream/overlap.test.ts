import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEvent } from "../../../src/sse/index.ts";
import { createBatcher } from "../../../src/upstream/batcher.ts";
import { createOverlap } from "../../../src/upstream/overlap.ts";
import { sseDecoder } from "../../../src/upstream/sources/sse.ts";
import type { StoredEvent, UpstreamEvent } from "../../../src/upstream/upstream.ts";
import { createLoggedHistory, type LoggedHistory } from "./logged-history.ts";

interface Sent {
  readonly id?: string;
  readonly data: string;
}

const ignore = (): void => {};
const { signal } = new AbortController();

interface ConnectionOptions {
  readonly piece?: number;
  /** Makes the source identify itself as a Spillway. */
  readonly resumed?: boolean;
  onUncertain?(): void;
}

/** One connection: what the source sends on it, in pieces of so many bytes. */
async function connection(
  history: LoggedHistory,
  sent: readonly Sent[],
  { piece = 7, resumed = false, onUncertain = ignore }: ConnectionOptions = {},
): Promise<void> {
  const cursor = history.cursor();
  const overlap = cursor === undefined ? undefined : createOverlap(history, { cursor, resumed, signal, onUncertain });
  const batcher = createBatcher({
    cursor,
    overlap,
    spillway: false,
    heldId: cursor ?? "",
    createDecoder: sseDecoder(1e6, ignore),
    onCount: ignore,
  });
  const bytes = new TextEncoder().encode(sent.map((event) => encodeEvent(event)).join(""));
  for (let at = 0; at < bytes.length; at += piece) {
    for await (const batch of batcher.push(bytes.subarray(at, at + piece))) history.append(batch);
  }
}

async function dataAfter(...connections: (readonly Sent[])[]): Promise<string[]> {
  const history = createLoggedHistory();
  for (const sent of connections) await connection(history, sent);
  return history.events.map(({ data }) => data);
}

const numbered = (from: number, to: number): Sent[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => ({ id: `${from + n}`, data: `${from + n}` }));
const unnamed = (...data: string[]): Sent[] => data.map((text) => ({ data: text }));

describe("a resumed stream", () => {
  test("that starts at the cursor's event delivers it once", async () => {
    expect(await dataAfter(numbered(1, 3), numbered(3, 5))).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("that starts well before the cursor delivers every event once", async () => {
    expect(await dataAfter(numbered(1, 5), numbered(2, 6))).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  test("that begins with an event whose id is known delivers events without an id once, wherever it starts", async () => {
    const [before, at, rest] = [unnamed("y"), { id: "1", data: "a" }, unnamed("b", "c")];
    const first = [{ id: "0", data: "z" }, ...before, at, ...rest];
    const whole = ["z", "y", "a", "b", "c", "d"];
    expect(await dataAfter(first, [at, ...rest, ...unnamed("d")])).toEqual(whole);
    expect(await dataAfter(first, [...first, ...unnamed("d")])).toEqual(whole);
  });

  test("delivers every event without an id if no id shows a replay, and reports once that some may be duplicates", async () => {
    const history = createLoggedHistory();
    let said = 0;
    const resume = (...data: string[]): Promise<void> =>
      connection(history, unnamed(...data), { onUncertain: () => said++ });
    await resume("x");
    await connection(history, [{ id: "1", data: "a" }]);
    await resume("tick", "tick");
    expect(said).toBe(0);
    await resume("tick", "tick", "tick");
    expect(said).toBe(1);
    expect(history.events.map(({ data }) => data)).toEqual(["x", "a", ...Array<string>(5).fill("tick")]);
  });

  test("of a Spillway that reports a resume delivers events without an id once", async () => {
    const history = createLoggedHistory();
    await connection(history, [{ id: "1", data: "a" }, ...unnamed("tick", "tick")]);
    await connection(history, unnamed("tick", "tick", "tick"), { resumed: true });
    expect(history.events.map(({ data }) => data)).toEqual(["a", "tick", "tick", "tick"]);
  });

  test("keeps an equal event that follows something new", async () => {
    const at = { id: "1", data: "a" };
    const first = [at, ...unnamed("tick", "tick")];
    expect(await dataAfter(first, [at, ...unnamed("tick", "new", "tick")])).toEqual([
      "a",
      "tick",
      "tick",
      "new",
      "tick",
    ]);
  });

  test("can replay any number of events without an id", async () => {
    const many = unnamed(...Array.from({ length: 300 }, (_, n) => `${n}`));
    const first = [{ id: "1", data: "a" }, ...many];
    expect(await dataAfter(first, [...first, ...unnamed("new")])).toEqual([
      "a",
      ...many.map(({ data }) => data),
      "new",
    ]);
  });

  test("of a source that gives every event the same id loses at most one event", async () => {
    const same = (...data: string[]): Sent[] => data.map((text) => ({ id: "x", data: text }));
    expect(await dataAfter(same("a", "b"), same("b", "c", "d", "d"))).toEqual(["a", "b", "c", "d", "d"]);
  });

  test("does not move the cursor back while it replays", async () => {
    const history = createLoggedHistory();
    await connection(history, numbered(1, 5));
    await connection(history, numbered(2, 4));
    expect(history.cursor()).toBe("5");
    await connection(history, numbered(3, 6));
    expect(history.events).toHaveLength(6);
  });

  test("ends the replay at a single unknown id", async () => {
    const history = createLoggedHistory();
    await connection(history, numbered(1, 2));
    const overlap = createOverlap(history, { cursor: "2", resumed: false, signal, onUncertain: ignore });
    await overlap.passed("1");
    expect(overlap.open).toBe(true);
    await overlap.passed("9");
    expect(overlap.open).toBe(false);
  });
});

test("in a live stream nothing is dropped, whatever ids and data repeat", async () => {
  const sent = [{ id: "1", data: "a" }, { id: "1", data: "a" }, ...unnamed("b", "b"), { id: "1", data: "a" }];
  expect(await dataAfter(sent)).toEqual(["a", "a", "b", "b", "a"]);
});

/** A stream of 1..M, some without an id, over connections that end anywhere, also within an event. */
const scenario = fc.record({
  idEvery: fc.integer({ min: 1, max: 4 }),
  connections: fc.array(
    fc.record({
      take: fc.integer({ min: 0, max: 12 }),
      back: fc.integer({ min: 0, max: 9 }),
      piece: fc.integer({ min: 1, max: 60 }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

test("over any number of connections that begin with a known id, or come from a Spillway, 1..M arrive once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ idEvery, connections }) => {
      const history = createLoggedHistory();
      const idOf = (n: number): Partial<Sent> => ((n - 1) % idEvery === 0 ? { id: `${n}` } : {});
      for (const { take, back, piece } of connections) {
        // A Spillway resumes after the requested id; other sources begin at an event with an id.
        const behind = Number(history.cursor() ?? 0) + 1;
        const from = back === 0 ? behind : Math.max(1, behind - 1 - (back - 1) * idEvery);
        const sent = Array.from({ length: take }, (_, n) => ({ ...idOf(from + n), data: `${from + n}` }));
        await connection(history, sent, { piece, resumed: back === 0 });
        const data = history.events.map((event) => Number(event.data));
        expect(data).toEqual(data.map((_, n) => n + 1));
      }
    }),
  );
});

test("over any number of connections that resume after the cursor without notice, none of 1..M is missing", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ idEvery, connections }) => {
      const history = createLoggedHistory();
      const idOf = (n: number): Partial<Sent> => ((n - 1) % idEvery === 0 ? { id: `${n}` } : {});
      let last = 0;
      for (const { take, piece } of connections) {
        const from = Number(history.cursor() ?? 0) + 1;
        const sent = Array.from({ length: take }, (_, n) => ({ ...idOf(from + n), data: `${from + n}` }));
        await connection(history, sent, { piece });
        last = Math.max(last, from + take - 1);
        const data = new Set(history.events.map((event) => Number(event.data)));
        expect([...data]).toEqual(Array.from({ length: last }, (_, n) => n + 1));
      }
    }),
  );
});

/** Drops each `drop`-th event, and splits each `split`-th into two. */
function changing(drop: number, split: number) {
  return ({ event, data }: UpstreamEvent): StoredEvent[] => {
    if (Number(data) % drop === 0) return [];
    return Number(data) % split === 0 ? ["a", "b"].map((part) => ({ event, data: data + part })) : [{ event, data }];
  };
}

const transformed = fc.tuple(scenario, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));

function expectedOf(last: number, change: (event: UpstreamEvent) => readonly StoredEvent[]): string[] {
  const all = Array.from({ length: last }, (_, n) => ({ event: "message", data: `${n + 1}`, id: undefined }));
  return all.flatMap(change).map(({ data }) => data);
}

test("however a source with ids resumes, what a transform makes of 1..M is stored once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(transformed, async ([{ connections }, drop, split]) => {
      const change = changing(drop, split);
      const history = createLoggedHistory(change);
      let last = 0;
      for (const { take, back, piece } of connections) {
        const from = Math.max(1, last + 1 - back);
        await connection(history, numbered(from, from + take - 1), { piece });
        last = Math.max(last, from + take - 1);
        expect(history.events.map(({ data }) => data)).toEqual(expectedOf(last, change));
      }
    }),
  );
});

test("with events without an id, nothing that a transform makes of 1..M is missing", async () => {
  await fc.assert(
    fc.asyncProperty(transformed, async ([{ idEvery, connections }, drop, split]) => {
      const change = changing(drop, split);
      const history = createLoggedHistory(change);
      const idOf = (n: number): Partial<Sent> => ((n - 1) % idEvery === 0 ? { id: `${n}` } : {});
      let last = 0;
      for (const { take, back, piece } of connections) {
        const behind = Number(history.cursor() ?? 0) + 1;
        const from = back === 0 ? behind : Math.max(1, behind - 1 - (back - 1) * idEvery);
        const sent = Array.from({ length: take }, (_, n) => ({ ...idOf(from + n), data: `${from + n}` }));
        await connection(history, sent, { piece, resumed: back === 0 });
        last = Math.max(last, from + take - 1);
        expect([...new Set(history.events.map(({ data }) => data))]).toEqual(expectedOf(last, change));
      }
    }),
  );
});

test("events without an id that a transform changes are stored once if a known id precedes them", async () => {
  const history = createLoggedHistory(({ event, data }) => ["x", "y"].map((part) => ({ event, data: data + part })));
  const first = [{ id: "1", data: "a" }, ...unnamed("b", "c")];
  await connection(history, first);
  await connection(history, [...first, ...unnamed("d")]);
  expect(history.events.map(({ data }) => data)).toEqual(["ax", "ay", "bx", "by", "cx", "cy", "dx", "dy"]);
});

test("the cursor follows dropped events, and repeats are recognized behind one that was dropped again", async () => {
  const history = createLoggedHistory(changing(5, 100));
  await connection(history, numbered(1, 10));
  expect(history.cursor()).toBe("10");
  // Ends in the middle of a replay, after an event that was dropped again.
  await connection(history, numbered(5, 5));
  expect(history.cursor()).toBe("5");
  await connection(history, numbered(4, 12));
  expect(history.events.map(({ data }) => data)).toEqual(["1", "2", "3", "4", "6", "7", "8", "9", "11", "12"]);
});

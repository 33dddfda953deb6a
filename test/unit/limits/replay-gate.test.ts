import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import { createReplayGate } from "../../../src/limits/replay-gate.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = (): AbortSignal => new AbortController().signal;
const busy = expect.objectContaining({ code: "replay-busy", retryAfter: 5 }) as Error;

test("a replay starts at once if there is a free slot", () => {
  const gate = createReplayGate({ replays: 2, replayWait: 1000 });
  expect([gate.enter(never), gate.enter(never)].map((entry) => typeof entry)).toEqual(["function", "function"]);
  expect(gate).toMatchObject({ running: 2, waiting: 0 });
  expect(vi.getTimerCount()).toBe(0);
});

test("others wait in order, and a free slot goes to the first of them", async () => {
  const gate = createReplayGate({ replays: 2, replayWait: 1000 });
  const [first, second] = [await gate.enter(never), await gate.enter(never)];
  const order: string[] = [];
  const waiting = ["a", "b"].map(async (name) => {
    const leave = await gate.enter(never);
    order.push(name);
    return leave;
  });
  first();
  // No other client can take the slot: it is already assigned.
  expect(gate).toMatchObject({ running: 2, waiting: 1 });
  second();
  for (const leave of await Promise.all(waiting)) leave();
  expect(order).toEqual(["a", "b"]);
  expect(gate).toMatchObject({ running: 0, waiting: 0 });
});

test("leaving twice frees one slot", async () => {
  const gate = createReplayGate({ replays: 1, replayWait: 1000 });
  const leave = await gate.enter(never);
  const next = gate.enter(never);
  leave();
  leave();
  expect(gate.running).toBe(1);
  await next;
});

test("a replay that has waited too long is refused, and leaves nothing behind", async () => {
  const gate = createReplayGate({ replays: 1, replayWait: 1000 });
  const leave = await gate.enter(never);
  const late = gate.enter(never);
  vi.advanceTimersByTime(1000);
  await expect(late).rejects.toEqual(busy);
  expect(gate).toMatchObject({ running: 1, waiting: 0 });
  leave();
  expect(gate.running).toBe(0);
});

test("at most as many wait as there are slots; others are refused at once", async () => {
  const gate = createReplayGate({ replays: 2, replayWait: 1000 });
  const leaves = [await gate.enter(never), await gate.enter(never)];
  const waiting = [gate.enter(never), gate.enter(never)];
  expect(() => gate.enter(never)).toThrow(busy);
  for (const leave of leaves) leave();
  for (const entry of waiting) (await entry)();
  expect(gate).toMatchObject({ running: 0, waiting: 0 });
});

test("a client that disconnects while waiting is removed from the queue, with its timer and its listener", async () => {
  const gate = createReplayGate({ replays: 1, replayWait: 1000 });
  await gate.enter(never);
  const controller = new AbortController();
  const removed = vi.spyOn(controller.signal, "removeEventListener");
  const waiting = gate.enter(() => controller.signal);
  controller.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  expect(gate).toMatchObject({ running: 1, waiting: 0 });
  expect(vi.getTimerCount()).toBe(0);
  expect(removed).toHaveBeenCalledOnce();
});

test("a client that has already disconnected does not wait", async () => {
  const gate = createReplayGate({ replays: 1, replayWait: 1000 });
  await gate.enter(never);
  expect(() => gate.enter(() => AbortSignal.abort(new Error("gone")))).toThrow("gone");
  expect(gate.waiting).toBe(0);
});

test("a larger gate admits waiting replays, and a smaller one ends none", async () => {
  const gate = createReplayGate({ replays: 2, replayWait: 1000 });
  const leaves = [await gate.enter(never), await gate.enter(never)];
  const waiting = [gate.enter(never), gate.enter(never)];
  gate.change({ replays: 3, replayWait: 1000 });
  expect(gate).toMatchObject({ running: 3, waiting: 1 });
  gate.change({ replays: 1, replayWait: 1000 });
  expect(gate.running).toBe(3);
  leaves.push(await waiting[0]!);
  for (const leave of leaves) leave();
  expect(gate).toMatchObject({ running: 1, waiting: 0 });
  (await waiting[1]!)();
});

const step = fc.oneof(
  fc.record({ kind: fc.constant("enter" as const) }),
  fc.record({ kind: fc.constant("leave" as const), which: fc.nat(40) }),
  fc.record({ kind: fc.constant("abort" as const), which: fc.nat(40) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(600) }),
);

test("in any order of arrivals, departures and timeouts, the gate behaves like a simple list", async () => {
  const wait = 1000;
  await fc.assert(
    fc.asyncProperty(fc.nat(4), fc.array(step, { maxLength: 60 }), async (replays, steps) => {
      const gate = createReplayGate({ replays, replayWait: wait });
      const controllers: AbortController[] = [];
      const leaves = new Map<number, () => void>();
      const outcomes: string[] = [];
      // The model: who is inside, and who waits until when.
      let inside: number[] = [];
      let queue: Array<{ id: number; until: number }> = [];
      const expected: string[] = [];
      let now = 0;
      const admit = (): void => {
        while (inside.length < replays && queue.length > 0) enter(queue.shift()!.id);
      };
      const enter = (id: number): void => {
        inside.push(id);
        expected[id] = "in";
      };

      const giveUp = (): void => {
        for (const { id, until } of queue) if (until <= now) expected[id] = "busy";
        queue = queue.filter(({ until }) => until > now);
      };

      for (const action of steps) {
        if (action.kind === "enter") {
          const id = controllers.length;
          const controller = new AbortController();
          controllers.push(controller);
          const settle = (outcome: string, leave?: () => void): void => {
            outcomes[id] = outcome;
            if (leave) leaves.set(id, leave);
          };
          void (async () => gate.enter(() => controller.signal))().then(
            (leave) => settle("in", leave),
            (error: unknown) => settle(error instanceof SpillwayError ? "busy" : "gone"),
          );
          if (inside.length < replays) enter(id);
          else if (queue.length >= replays) expected[id] = "busy";
          else queue.push({ id, until: now + wait });
        } else if (action.kind === "leave") {
          const id = action.which % Math.max(1, controllers.length);
          leaves.get(id)?.();
          inside = inside.filter((other) => other !== id);
          admit();
        } else if (action.kind === "abort") {
          const id = action.which % Math.max(1, controllers.length);
          controllers[id]?.abort(new Error("gone"));
          if (queue.some((waiter) => waiter.id === id)) expected[id] = "gone";
          queue = queue.filter((waiter) => waiter.id !== id);
        } else {
          now += action.ms;
          vi.advanceTimersByTime(action.ms);
          giveUp();
        }
        await vi.advanceTimersByTimeAsync(0);
        expect(gate).toMatchObject({ running: inside.length, waiting: queue.length });
        expect(outcomes).toEqual(expected);
        expect(inside.length).toBeLessThanOrEqual(replays);
      }
      vi.advanceTimersByTime(wait);
      await vi.advanceTimersByTimeAsync(0);
      for (const leave of leaves.values()) leave();
      expect(gate).toMatchObject({ running: 0, waiting: 0 });
      expect(vi.getTimerCount()).toBe(0);
    }),
  );
});

import { expect, test } from "vitest";
import type { IdempotencyKeys } from "../../../../src/log/sqlite/idempotency-keys.ts";
import type { Stream, Streams } from "../../../../src/log/sqlite/streams.ts";
import { createTrimRounds, type TrimRound, type TrimRounds } from "../../../../src/log/sqlite/trim-rounds.ts";

/** Streams with so many events to remove each, and what is taken from them. */
function createScene(...toRemove: number[]) {
  const steps: { readonly stream: number; readonly limit: number }[] = [];
  const streams = { get: (id: number) => ({ id, retention: {} }) as Stream } as Streams;
  const trimmer = {
    isDue: () => true,
    step({ id }: Stream, _: number, limit: number): number {
      const left = toRemove[id];
      if (left === undefined) throw new Error("no room");
      steps.push({ stream: id, limit });
      const removed = Math.min(limit, left);
      toRemove[id] = left - removed;
      return removed;
    },
  };
  const keys = { prune: () => 0 } as Partial<IdempotencyKeys> as IdempotencyKeys;
  const rounds = createTrimRounds(streams, trimmer, keys, (work) => work());
  return { rounds, steps, ids: [...toRemove.keys()] };
}

function runRound(rounds: TrimRounds, streams: readonly number[], onTrimmed: TrimRound["onTrimmed"] = () => {}) {
  return new Promise<number>((resolve, reject) => {
    rounds.add({ streams, now: 0, onTrimmed, onDone: resolve, onFailed: ({ message }) => reject(new Error(message)) });
  });
}

test("a round takes steps of 500 from one stream after the other, and counts what it removed", async () => {
  const { rounds, steps, ids } = createScene(1_200, 0, 500);
  const trimmed: number[] = [];
  expect(await runRound(rounds, ids, ({ id }) => trimmed.push(id))).toBe(1_700);
  expect(steps.map(({ stream }) => stream)).toEqual([0, 0, 0, 1, 2, 2]);
  expect(new Set(steps.map(({ limit }) => limit))).toEqual(new Set([500]));
  expect(trimmed).toEqual([0, 0, 0, 2]);
});

test("between two steps everything else has its turn", async () => {
  const { rounds, steps, ids } = createScene(2_000);
  const seen: number[] = [];
  const done = runRound(rounds, ids);
  while (steps.length < 4) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(steps.length);
  }
  await done;
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("a step removes twice what was appended since the step before, so that a round comes to its end", async () => {
  const { rounds, steps, ids } = createScene(3_000);
  rounds.appended(50_000);
  let first = true;
  await runRound(rounds, ids, () => {
    if (first) rounds.appended(900);
    first = false;
  });
  // What was appended before the round is no reason for a long step.
  expect(steps.map(({ limit }) => limit)).toEqual([500, 1_800, 500, 500]);
});

test("a round that fails is over, and the next one runs", async () => {
  const { rounds } = createScene(10);
  const failed = runRound(rounds, [7]);
  const next = runRound(rounds, [0]);
  await expect(failed).rejects.toThrow("no room");
  expect(await next).toBe(10);
});

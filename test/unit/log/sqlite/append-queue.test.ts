import { expect, test } from "vitest";
import { createAppendQueue, type SendGroup } from "../../../../src/log/sqlite/append-queue.ts";
import { eventWidth, type AppendOutcome, type AppendRequest } from "../../../../src/log/sqlite/messages.ts";

const failure = { code: "store-full", message: "no room" } as const;

/** A queue over a writer that answers when told to. */
function createScene() {
  const groups: { readonly appends: readonly AppendRequest[]; answer(): void; fail(): void }[] = [];
  const outcomes: AppendOutcome[] = [];
  const send: SendGroup = (appends, onOutcomes, onFailure) => {
    const results = appends.map(({ now }) => ({ first: now, last: now, replayed: false, time: 0, bytes: 0 }));
    groups.push({ appends, answer: () => onOutcomes(results), fail: () => onFailure(failure) });
  };
  const queue = createAppendQueue(send);
  let next = 1;
  function push(...sizes: number[]): void {
    for (const size of sizes) {
      const events = Array.from({ length: size * eventWidth }, () => "x");
      const request = { stream: 1, now: next++, events, upstreamCursor: undefined, idempotency: undefined };
      queue.push({ request, settle: (outcome) => outcomes.push(outcome) });
    }
  }
  return { queue, groups, outcomes, push, sizes: () => groups.map(({ appends }) => appends.length) };
}

test("appends of one turn go together, and so do those that come while two groups are under way", async () => {
  const { groups, outcomes, push, sizes } = createScene();
  push(1, 1, 1);
  await Promise.resolve();
  push(1);
  await Promise.resolve();
  push(1, 1);
  await Promise.resolve();
  push(1);
  await Promise.resolve();
  expect(sizes()).toEqual([3, 1]);
  groups[0]!.answer();
  expect(sizes()).toEqual([3, 1, 3]);
  groups[1]!.answer();
  groups[2]!.answer();
  expect(outcomes).toMatchObject([1, 2, 3, 4, 5, 6, 7].map((first) => ({ first })));
});

test("a group ends with the append that reaches its bound, and an append is never divided", async () => {
  const { push, sizes, groups } = createScene();
  push(4_000, 95, 1, 1, 9_000, 1);
  await Promise.resolve();
  groups[0]!.answer();
  groups[1]!.answer();
  expect(sizes()).toEqual([3, 2, 1]);
});

test("a group that fails is refused whole, and the next goes on", async () => {
  const { queue, groups, outcomes, push } = createScene();
  push(1, 1);
  await Promise.resolve();
  groups[0]!.fail();
  expect(outcomes).toEqual([failure, failure]);
  push(1);
  const idle = queue.idle();
  groups[1]!.answer();
  await idle;
  expect(outcomes).toHaveLength(3);
});

import { expect, test } from "vitest";
import { createAppendQueue, groupLength } from "../../../../src/log/engine/append-queue.ts";
import type { BatchOutcome } from "../../../../src/log/engine/driver.ts";
import type { NewEvent } from "../../../../src/log/log.ts";
import { SpillwayError } from "../../../../src/errors.ts";

interface Append {
  readonly number: number;
  readonly events: readonly NewEvent[];
}

function appendOf(number: number, events: number, data = "x"): Append {
  const event = { event: "message", data, channel: undefined, upstreamId: undefined };
  return { number, events: Array.from({ length: events }, () => event) };
}

/** A queue whose target answers when the test says so. */
function createScene() {
  const groups: { readonly numbers: readonly number[]; answer(outcome?: SpillwayError): Promise<void> }[] = [];
  const queue = createAppendQueue<Append>({
    send: (group) =>
      new Promise((resolve) => {
        const numbers = group.map(({ number }) => number);
        groups.push({
          numbers,
          async answer(error) {
            const outcome = (number: number): BatchOutcome => error ?? { first: number, last: number, replayed: false };
            resolve(numbers.map(outcome));
            await new Promise((settled) => setImmediate(settled));
          },
        });
      }),
  });
  let next = 1;
  const push = (...sizes: number[]) => sizes.map((size) => queue.append(appendOf(next++, size)));
  return { queue, groups, push, sent: () => groups.map(({ numbers }) => numbers) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("appends of one turn share a group, and so do those that arrive while a group is in progress", async () => {
  const { groups, push, sent } = createScene();
  const answers = push(1, 1, 1);
  await turn();
  answers.push(...push(1));
  await turn();
  answers.push(...push(1, 1));
  expect(sent()).toEqual([[1, 2, 3]]);
  await groups[0]!.answer();
  expect(sent()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  await groups[1]!.answer();
  expect(await Promise.all(answers)).toMatchObject([1, 2, 3, 4, 5, 6].map((first) => ({ first })));
});

test("a group ends with the append that reaches a limit, and an append is never split", () => {
  expect(groupLength([4_000, 95, 1, 1, 9_000, 1].map((size, index) => appendOf(index, size)))).toBe(3);
  expect(groupLength([appendOf(1, 9_000), appendOf(2, 1)])).toBe(1);
  expect(groupLength([appendOf(1, 1, "x".repeat(8 * 1024 * 1024)), appendOf(2, 1)])).toBe(1);
  expect(groupLength([appendOf(1, 1), appendOf(2, 1)])).toBe(2);
});

test("an error rejects the appends of its group, and the next group is sent", async () => {
  const { queue, groups, push } = createScene();
  const failed = push(1, 1);
  await turn();
  const settled = Promise.allSettled(failed);
  await groups[0]!.answer(new SpillwayError("store-full"));
  expect(await settled).toMatchObject([{ reason: { code: "store-full" } }, { reason: { code: "store-full" } }]);
  const [next] = push(1);
  let idle = false;
  const whenIdle = queue.idle().then(() => (idle = true));
  await turn();
  expect(idle).toBe(false);
  await groups[1]!.answer();
  await whenIdle;
  expect(await next).toMatchObject({ first: 3 });
});

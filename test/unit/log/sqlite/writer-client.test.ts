import { expect, test } from "vitest";
import { gather } from "../../../../src/log/sqlite/writer-client.ts";

/** A gatherer of numbers, whose calls end when the test says so. */
function createScene(underWay: number) {
  const calls: { readonly items: readonly number[]; answer(): void; fail(): void }[] = [];
  const ask = gather<number, string>({
    send: (items) =>
      new Promise((resolve, reject) => {
        calls.push({ items, answer: () => resolve(items.map(String)), fail: () => reject(new Error("lost")) });
      }),
    underWay,
    maxWeight: 10,
    weigh: (item) => item,
  });
  return { ask, calls, sent: () => calls.map(({ items }) => items) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("items of one turn share a call, and so do those that arrive while calls are in progress", async () => {
  const { ask, calls, sent } = createScene(2);
  const answers = [ask(1), ask(2)];
  await turn();
  answers.push(ask(3));
  await turn();
  answers.push(ask(4), ask(5));
  await turn();
  expect(sent()).toEqual([[1, 2], [3]]);
  calls[0]!.answer();
  await turn();
  expect(sent()).toEqual([[1, 2], [3], [4, 5]]);
  calls[1]!.answer();
  calls[2]!.answer();
  expect(await Promise.all(answers)).toEqual(["1", "2", "3", "4", "5"]);
});

test("a call ends with the item that reaches its weight", async () => {
  const { ask, calls, sent } = createScene(1);
  for (const item of [4, 6, 1, 20, 1]) void ask(item);
  await turn();
  calls[0]!.answer();
  await turn();
  calls[1]!.answer();
  await turn();
  expect(sent()).toEqual([[4, 6], [1, 20], [1]]);
});

test("a call that fails rejects its items, and the next one is made", async () => {
  const { ask, calls } = createScene(1);
  const failed = Promise.allSettled([ask(1), ask(2)]);
  await turn();
  const next = ask(3);
  calls[0]!.fail();
  expect(await failed).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  await turn();
  calls[1]!.answer();
  expect(await next).toBe("3");
});

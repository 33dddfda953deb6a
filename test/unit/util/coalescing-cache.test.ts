import { expect, test } from "vitest";
import { createCoalescingCache, type CoalescingCache } from "../../../src/util/coalescing-cache.ts";

/** Caches for an hour. A request that begins with "no" is refused, one that begins with "fail" gets no answer. */
function makeAnswers(): {
  readonly answers: CoalescingCache<string>;
  readonly asked: string[];
  ask(q: string, at: string): Promise<string>;
} {
  const asked: string[] = [];
  const isAnswer = (error: unknown): boolean => (error as Error).message === "no";
  const answers = createCoalescingCache<string>({ keepFor: 3_600_000, staleFor: 0, isAnswer });
  const ask = (question: string, address: string): Promise<string> =>
    answers
      .get(question, address, async () => {
        asked.push(question);
        if (/^(no|fail)/.test(question)) throw new Error(question.startsWith("no") ? "no" : "fail");
        return question;
      })
      .catch((error: unknown) => (error as Error).message);
  return { answers, asked, ask };
}

test("no number of refusals evicts a positive answer", async () => {
  const { ask, asked } = makeAnswers();
  await ask("good", "a");
  for (let n = 0; n < 25_000; n++) await ask(`no ${n}`, `address ${n}`);
  await ask("good", "a");
  expect(asked.filter((question) => question === "good")).toHaveLength(1);
});

test("no number of answers for one address evicts one of another", async () => {
  const { ask, asked } = makeAnswers();
  await ask("good", "a");
  await ask("no good", "a");
  for (let n = 0; n < 25_000; n++) {
    await ask(`made up ${n}`, "b");
    await ask(`no ${n}`, "b");
  }
  await ask("good", "a");
  await ask("no good", "a");
  expect(asked.filter((question) => question.endsWith("good"))).toHaveLength(2);
});

test("a failed request is repeated", async () => {
  const { ask, asked } = makeAnswers();
  expect([await ask("fail", "a"), await ask("fail", "a")]).toEqual(["fail", "fail"]);
  expect(asked).toHaveLength(2);
});

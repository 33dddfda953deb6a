import { expect, test } from "vitest";
import { createFairLimiter, type FairLimits, type NotRun } from "../../../src/util/fair-limiter.ts";

/** A limiter whose tasks end on request. */
function makeLimiter(limits: Partial<FairLimits> = {}): {
  run(key: string): Promise<string>;
  end(): void;
  readonly started: string[];
} {
  const ends: Array<() => void> = [];
  const started: string[] = [];
  const all = { atOnce: 4, waitingPerKey: 100, waiting: 1000, acquireTimeout: 60_000, ...limits };
  const limit = createFairLimiter(all, (why: NotRun) => new Error(why));
  return {
    started,
    run: (key) =>
      limit(key, async () => {
        started.push(key);
        await new Promise<void>((end) => ends.push(end));
        return key;
      }).catch((error: unknown) => (error as Error).message),
    end: () => ends.shift()?.(),
  };
}

/** Resolves when all pending work is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one key alone gets half of the permits, and another key finds one free", async () => {
  const limiter = makeLimiter();
  for (let n = 0; n < 50; n++) void limiter.run("flood");
  void limiter.run("good");
  await settled();
  expect(limiter.started).toEqual(["flood", "flood", "good"]);
});

test("waiting keys get permits in turn, however many tasks each has", async () => {
  const limiter = makeLimiter({ atOnce: 1 });
  for (let n = 0; n < 50; n++) void limiter.run("flood");
  for (const key of ["a", "b", "a"]) void limiter.run(key);
  for (let n = 0; n < 6; n++) {
    await settled();
    limiter.end();
  }
  await settled();
  expect(limiter.started).toEqual(["flood", "flood", "a", "b", "flood", "a", "flood"]);
});

test("all tasks run eventually", async () => {
  const limiter = makeLimiter();
  const tasks = Array.from({ length: 60 }, (_, n) => limiter.run(`key ${n % 7}`));
  for (let n = 0; n < 60; n++) {
    await settled();
    limiter.end();
  }
  expect((await Promise.all(tasks)).filter((key) => key.startsWith("key"))).toHaveLength(60);
});

test("beyond the limits of one key and of all, a task is refused at once, and a waiting one after its timeout", async () => {
  const limiter = makeLimiter({ atOnce: 1, waitingPerKey: 2, waiting: 3, acquireTimeout: 20 });
  const tasks = ["a", "a", "a", "a", "b", "c"].map((key) => limiter.run(key));
  expect(await tasks[3]).toBe("key");
  expect(await tasks[5]).toBe("waiting");
  expect(await Promise.all([tasks[1], tasks[2], tasks[4]])).toEqual(["long", "long", "long"]);
  void limiter.run("d");
  limiter.end();
  expect(await tasks[0]).toBe("a");
  await settled();
  expect(limiter.started).toEqual(["a", "d"]);
});

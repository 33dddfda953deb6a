import { expect, test } from "vitest";
import { createSemaphore, mapLimited } from "../../../src/util/semaphore.ts";

/** Resolves when all pending work is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("callers beyond the permits wait, and get a released permit in the order of their calls", async () => {
  const semaphore = createSemaphore(2);
  const [first] = await Promise.all([semaphore.acquire(), semaphore.acquire()]);
  const order: string[] = [];
  for (const name of ["a", "b"]) void semaphore.acquire().then(() => order.push(name));
  await settled();
  expect(order).toEqual([]);
  first();
  await settled();
  expect(order).toEqual(["a"]);
});

test("a permit that is released twice counts once", async () => {
  const semaphore = createSemaphore(1);
  const release = await semaphore.acquire();
  release();
  release();
  await semaphore.acquire();
  let acquired = false;
  void semaphore.acquire().then(() => (acquired = true));
  await settled();
  expect(acquired).toBe(false);
});

test("a permit goes to the longest waiter, not to a later caller", async () => {
  const semaphore = createSemaphore(1);
  const release = await semaphore.acquire();
  const order: string[] = [];
  void semaphore.acquire().then(() => order.push("waiter"));
  release();
  void semaphore.acquire().then(() => order.push("later"));
  await settled();
  expect(order).toEqual(["waiter"]);
});

test("an aborted caller rejects with the reason and leaves its place to the next", async () => {
  const semaphore = createSemaphore(1);
  const release = await semaphore.acquire();
  const controller = new AbortController();
  const aborted = semaphore.acquire(controller.signal);
  const next = semaphore.acquire();
  controller.abort(new Error("stopped"));
  await expect(aborted).rejects.toThrow("stopped");
  release();
  await expect(next).resolves.toBeTypeOf("function");
  await expect(semaphore.acquire(controller.signal)).rejects.toThrow("stopped");
});

test("a caller that waits longer than the timeout rejects with its error", async () => {
  const semaphore = createSemaphore(1, { acquireTimeout: { ms: 5, error: () => new Error("all busy") } });
  const release = await semaphore.acquire();
  await expect(semaphore.acquire()).rejects.toThrow("all busy");
  release();
  await expect(semaphore.acquire()).resolves.toBeTypeOf("function");
});

test("all waiting callers can be rejected, and held permits stay valid", async () => {
  const semaphore = createSemaphore(1);
  const release = await semaphore.acquire();
  const waiting = [semaphore.acquire(), semaphore.acquire()];
  semaphore.rejectWaiting(new Error("closed"));
  for (const caller of waiting) await expect(caller).rejects.toThrow("closed");
  release();
  await expect(semaphore.run(async () => "done")).resolves.toBe("done");
});

test("a failed task releases its permit", async () => {
  const semaphore = createSemaphore(1);
  await expect(semaphore.run(() => Promise.reject(new Error("task failed")))).rejects.toThrow("task failed");
  await expect(semaphore.run(async () => "done")).resolves.toBe("done");
});

test("a limited map keeps the order of its items, and starts nothing after a failure", async () => {
  const started: number[] = [];
  const work = async (item: number): Promise<number> => {
    started.push(item);
    await settled();
    if (item === 0) throw new Error("zero");
    return item * 10;
  };
  await expect(mapLimited([1, 3, 5], 2, work)).resolves.toEqual([10, 30, 50]);
  started.length = 0;
  await expect(mapLimited([0, 2, 3, 4], 2, work)).rejects.toThrow("zero");
  expect(started).toEqual([0, 2]);
});

import { expect, test } from "vitest";
import { createTarget, type Target } from "../../../src/proxy/target.ts";

function target(connections: number, queue: { length: number; for: number }): Target {
  const timeouts = { connect: 1000, headers: 1000, idle: 1000 };
  const settings = { connections, queue, timeouts, tls: undefined, http2: false };
  return createTarget({ name: "a", url: "http://127.0.0.1:1", weight: 1 }, settings);
}

const { signal } = new AbortController();

test("requests beyond the limit wait in order, and are refused beyond the queue", async () => {
  const limited = target(2, { length: 2, for: 5000 });
  const order: string[] = [];
  const enter = async (name: string) => {
    await limited.enter(signal);
    order.push(name);
  };
  // All in one turn: the limits hold for a burst too.
  const entered = ["a", "b", "c", "d"].map(enter);
  expect(limited.isFull).toBe(true);
  await expect(limited.enter(signal)).rejects.toMatchObject({ code: "target-unavailable", retryAfter: 1 });
  await Promise.all(entered.slice(0, 2));
  expect([limited.active, limited.waiting, order.join("")]).toEqual([2, 2, "ab"]);
  limited.leave();
  await entered[2];
  limited.leave();
  await entered[3];
  expect([limited.active, limited.waiting, order.join(""), limited.isFull]).toEqual([2, 0, "abcd", false]);
});

test("a request that waits too long is refused, and leaves the queue", async () => {
  const limited = target(1, { length: 1, for: 20 });
  expect(limited.tryEnter()).toBe(true);
  expect(limited.tryEnter()).toBe(false);
  await expect(limited.enter(signal)).rejects.toMatchObject({
    code: "target-unavailable",
    message: "a: no place within 20 ms",
    retryAfter: 1,
  });
  expect([limited.active, limited.waiting]).toEqual([1, 0]);
  limited.leave();
  expect(limited.active).toBe(0);
});

test("a client that leaves while it waits leaves the queue", async () => {
  const limited = target(1, { length: 1, for: 5000 });
  await limited.enter(signal);
  const client = new AbortController();
  const entering = limited.enter(client.signal);
  client.abort();
  await expect(entering).rejects.toMatchObject({ name: "AbortError" });
  expect([limited.active, limited.waiting, limited.isFull]).toEqual([1, 0, false]);
});

test("without a queue a burst gets exactly the places that there are", async () => {
  const limited = target(3, { length: 0, for: 0 });
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => limited.enter(signal)));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
});

import { expect, test } from "vitest";
import { createRetryBudget, type RetryBudget } from "../../../src/proxy/retry-budget.ts";
import { manualClock } from "./targets.ts";

function takeAll(budget: RetryBudget): number {
  let taken = 0;
  while (taken < 1000 && budget.take()) taken++;
  return taken;
}

test("allows three retries without requests, and a share of the requests", () => {
  const budget = createRetryBudget(0.2, manualClock().now);
  expect(takeAll(budget)).toBe(3);
  for (let i = 0; i < 100; i++) budget.count();
  expect(takeAll(budget)).toBe(20);
});

test("forgets requests and retries gradually over ten seconds", () => {
  const clock = manualClock();
  const budget = createRetryBudget(0.2, clock.now);
  for (let i = 0; i < 100; i++) budget.count();
  expect(takeAll(budget)).toBe(23);
  clock.advance(10_000);
  expect(takeAll(budget)).toBe(0);
  clock.advance(5000);
  expect(takeAll(budget)).toBe(1);
  clock.advance(20_000);
  expect(takeAll(budget)).toBe(3);
});

test("a budget of 0 allows only the minimum", () => {
  const budget = createRetryBudget(0, manualClock().now);
  for (let i = 0; i < 1000; i++) budget.count();
  expect(takeAll(budget)).toBe(3);
});

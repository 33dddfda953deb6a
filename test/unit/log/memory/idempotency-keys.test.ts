import { expect, test } from "vitest";
import { createIdempotencyKeys } from "../../../../src/log/memory/idempotency-keys.ts";

const named = (key: string) => ({ key, fingerprint: "f" });

const day = 24 * 60 * 60 * 1000;

test("keys are removed after 24 h, the others stay", () => {
  const keys = createIdempotencyKeys();
  const [early, late] = [
    { fingerprint: "f", first: 1, last: 1, time: 0 },
    { fingerprint: "g", first: 2, last: 2, time: 5 },
  ];
  keys.set(named("early"), early, Infinity);
  keys.set(named("late"), late, Infinity);
  expect([keys.get(named("early"), day - 1), keys.get(named("late"), day - 1)]).toEqual([early, late]);
  expect([keys.get(named("early"), day), keys.get(named("late"), day)]).toEqual([undefined, late]);
});

test("a hundredth beyond the limit, the oldest keys are removed down to the limit, so that memory is bounded", () => {
  const keys = createIdempotencyKeys();
  const set = (key: number): void =>
    keys.set(named(String(key)), { fingerprint: "f", first: key, last: key, time: 0 }, 1_000);
  for (let key = 1; key <= 1_010; key++) set(key);
  expect(keys.get(named("1"), 1)?.first).toBe(1);
  set(1_011);
  const held = [1, 11, 12, 1_011].map((key) => keys.get(named(String(key)), 1)?.first);
  expect(held).toEqual([undefined, undefined, 12, 1_011]);
});
